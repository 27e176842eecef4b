// Paths as others get to read them: names of corpora and models, and nothing of the machine.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { publicName, publicNames, publicText } from "../src/public-names.ts";

describe("publicName", () => {
  test.each([
    ["/data/corpora/libri-6h/train", "libri-6h/train"],
    ["/home/ada/train", "train"],
    ["/Users/ada/speech/train.jsonl", "speech/train.jsonl"],
    ["C:\\Users\\ada\\speech\\train", "speech/train"],
    ["D:\\speech\\train", "speech/train"],
    ["../shared/models/hubert-small-libri", "models/hubert-small-libri"],
    ["../../hubert", "hubert"],
    ["~/models/hubert", "models/hubert"],
    ["~ada/hubert", "hubert"],
    ["/root/hubert/", "hubert"],
    ["./runs/arm-s/best", "arm-s/best"],
    ["facebook/hubert-base-ls960", "facebook/hubert-base-ls960"],
    ["package:examples/speech", "package:examples/speech"],
  ])("%s", (path, name) => expect(publicName(path)).toBe(name));
});

test("in data, private paths are cut and all else stays", () => {
  const recipe = {
    teacher: "facebook/hubert-base-ls960",
    data: { train: { path: "/data/my speech/libri/train", splits: ["a/b/c"] }, workers: 2, validation: null },
    run: { outDir: "runs/arm-s/second/try", seed: 1 },
    pattern: "every 2",
  };
  expect(publicNames(recipe)).toEqual({
    ...recipe,
    data: { ...recipe.data, train: { path: "libri/train", splits: ["a/b/c"] } },
  });
});

test("in running text, paths are cut, and addresses, fractions and endings stay", () => {
  const text =
    "from /data/x/libri/train (see `/home/ada/run1/best`), C:\\speech\\a\\b.wav; and/or 3/4 </b> a//b arXiv:1/2";
  expect(publicText(`${text} https://example.org/a/b/c [x](docs/a/b.md)`)).toBe(
    "from libri/train (see `run1/best`), a/b.wav; and/or 3/4 </b> a//b arXiv:1/2 https://example.org/a/b/c [x](docs/a/b.md)",
  );
});

test("whatever the path, no root, user or way up is left", () => {
  const part = fc.stringMatching(/^[\w. -]{1,8}$/);
  const root = fc.constantFrom(
    "/",
    "/home/ada/",
    "/Users/ada/",
    "C:\\",
    "C:\\Users\\ada\\",
    "../",
    "../../",
    "~/",
    "/root/",
  );
  fc.assert(
    fc.property(root, fc.array(part, { minLength: 1, maxLength: 5 }), (start, parts) => {
      const name = publicNames(start + parts.join("/"));
      expect(name).not.toMatch(/^[/~]|^[A-Za-z]:|ada|(^|\/)\.\.(\/|$)/);
      expect(publicNames(name)).toBe(name);
    }),
  );
});
