// Batches with items whose states are no numbers: who is named, and what the others are computed with.
import { expect, test } from "vitest";
import { StillwaveError } from "../../src/errors.ts";
import { runSound } from "../../src/upstream/unsound.ts";

/** Runs that fail where `fails` says so; the result of an item tells what it was run with. */
function recorder(fails: (item: string, all: readonly string[]) => boolean) {
  const runs: string[] = [];
  const run = async (items: readonly string[]) => {
    runs.push(items.join(""));
    return items.map((item) => (fails(item, items) ? new StillwaveError(`${item} fails`) : items.join("")));
  };
  return { runs, run };
}
const sorted = async (items: string, fails: (item: string, all: readonly string[]) => boolean) => {
  const { runs, run } = recorder(fails);
  const { sound, unsound } = await runSound([...items], run);
  return {
    runs,
    sound: sound.map(({ item, result }) => `${item}:${result}`),
    unsound: unsound.map(({ item, error }) => `${item}:${error.message}`),
  };
};

test("a sound batch runs once", async () => {
  expect(await sorted("abc", () => false)).toEqual({ runs: ["abc"], sound: ["a:abc", "b:abc", "c:abc"], unsound: [] });
});

test("one that fails alone is named, and the others are run without it", async () => {
  expect(await sorted("abc", (item) => item === "b")).toEqual({
    runs: ["abc", "b", "ac"],
    sound: ["a:ac", "c:ac"],
    unsound: ["b:b fails"],
  });
});

test("one that spoils its neighbours is told from them", async () => {
  const { sound, unsound } = await sorted("abc", (_, all) => all.includes("b"));
  expect({ sound, unsound }).toEqual({ sound: ["a:ac", "c:ac"], unsound: ["b:b fails"] });
});

test("those that fail together only are all left out", async () => {
  const { sound, unsound } = await sorted("abc", (item, all) => all.length > 2 && item !== "a");
  expect({ sound, unsound }).toEqual({ sound: ["a:a"], unsound: ["b:b fails", "c:c fails"] });
});

test("nothing is left where all fail; other errors are thrown", async () => {
  expect(await sorted("ab", () => true)).toMatchObject({ sound: [], unsound: ["a:a fails", "b:b fails"] });
  expect(await sorted("", () => true)).toMatchObject({ runs: [], sound: [], unsound: [] });
  await expect(runSound(["a"], () => Promise.reject(new TypeError("a bug")))).rejects.toThrow(TypeError);
});
