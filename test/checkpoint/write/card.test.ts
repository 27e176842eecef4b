// Cards of model folders: front matter that Python's YAML and hub libraries read, and nothing of the machine.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { convertCheckpoint, loadModel, writeModelFolder } from "../../../src/checkpoint/index.ts";
import {
  datasetName,
  frontMatter,
  modelName,
  readFrontMatter,
  splitCard,
} from "../../../src/checkpoint/write/front-matter.ts";
import { StillwaveError } from "../../../src/errors.ts";
import { temporaryFolder, tinyModel } from "../../export/cases.ts";
import { findTransformers, runTorch } from "../../superb/torch.ts";

const folder = temporaryFolder();
const examples = fileURLToPath(new URL("../../../examples/", import.meta.url));
const python = findTransformers();

test.each([
  ["/data/LibriSpeech/train-clean-100", "LibriSpeech"],
  ["/home/ada/corpora/libri-6h/train", "libri-6h"],
  ["lists/our speech/train.jsonl", "our-speech"],
  ["train.tsv", "train.tsv"],
  ["package:examples/speech/train", "stillwave-examples"],
])("the data of %s is called %s", (path, name) => expect(datasetName(path)).toBe(name));

test.each([
  ["/home/ada/models/hubert-base", "hubert-base"],
  ["/home/ada/runs/arm-s/best", "arm-s"],
  ["/data/hubert_base_ls960.pt", "hubert_base_ls960"],
  ["/c/hub/models--facebook--hubert-base-ls960/snapshots/0123", "facebook/hubert-base-ls960"],
  ["/models/v1.5", "v1.5"],
])("the model of %s is called %s", (path, name) => expect(modelName({ path })).toBe(name));

describe("front matter", () => {
  test("what is written is read back, whatever the values", () => {
    const value = fc.oneof(fc.string(), fc.array(fc.string(), { maxLength: 3 }), fc.boolean(), fc.integer());
    fc.assert(
      fc.property(fc.dictionary(fc.stringMatching(/^[a-z_]{1,9}$/), value), fc.string(), (fields, body) => {
        const card = `${frontMatter(fields)}# Card\n${body}`;
        expect(readFrontMatter(card, "README.md")).toEqual(fields);
        expect(splitCard(card)[1].startsWith("# Card\n")).toBe(true);
      }),
    );
  });

  test("any text gives fields or an error that names the file", () => {
    fc.assert(
      fc.property(fc.string(), fc.boolean(), (text, closed) => {
        try {
          expect(typeof readFrontMatter(`---\n${text}${closed ? "\n---\n" : ""}`, "README.md")).toBe("object");
        } catch (error) {
          expect(error).toBeInstanceOf(StillwaveError);
          expect((error as Error).message).toMatch(/^README\.md: the front matter is not /);
        }
      }),
    );
  });
});

test("a folder carries no path of the machine, whatever it was given and wherever it was converted from", async () => {
  const [source, converted] = [join(folder, "source"), join(folder, "converted")];
  await writeModelFolder(source, {
    ...tinyModel(),
    card: `# Best student\n| teacher | ${folder}/teachers/hubert |\n`,
    extra: { distilled: { teacher: `${folder}/teachers/hubert`, lists: [`${folder}/a.tsv`] } },
  });
  await convertCheckpoint(source, converted);
  expect(readFileSync(join(converted, "README.md"), "utf8")).toContain("| teacher | teachers/hubert |");
  const { stillwave } = JSON.parse(readFileSync(join(source, "config.json"), "utf8"));
  expect(stillwave.distilled.teacher).toBe("teachers/hubert");
  for (const [place, names] of [
    [source, readdirSync(source).filter((name) => name !== "README.md")],
    [converted, readdirSync(converted)],
  ] as const)
    for (const name of names) expect(readFileSync(join(place, name), "latin1"), name).not.toContain(folder);
});

test("a conversion states the licence of its source", async () => {
  const [source, folder16] = [join(folder, "licensed"), join(folder, "licensed-16")];
  const { config, parameters } = await loadModel(join(examples, "hubert-small-libri"));
  await convertCheckpoint(join(examples, "hubert-small-libri"), source, { dtype: "float16" });
  const fields = readFrontMatter(readFileSync(join(source, "README.md"), "utf8"), source);
  expect(fields).toMatchObject({
    license: "cc-by-4.0",
    base_model: "hubert-small-libri",
    library_name: "transformers",
  });
  await writeModelFolder(folder16, { config, parameters });
  expect(readFrontMatter(readFileSync(join(folder16, "README.md"), "utf8"), source)).toMatchObject({
    license: "unknown",
  });
});

describe.skipIf(!python)("read by PyYAML and huggingface_hub", () => {
  test("the cards of the examples and of conversions", async () => {
    const own = join(folder, "own");
    await writeModelFolder(own, tinyModel());
    writeFileSync(join(own, "README.md"), `${frontMatter({ license: "mit", tags: ["a: b", "#c", "no"] })}# Own\n`);
    await convertCheckpoint(join(examples, "student-small-libri"), join(folder, "student"));
    const places = [
      join(examples, "student-small-libri"),
      join(examples, "hubert-small-libri"),
      own,
      join(folder, "student"),
    ];
    const script = readFileSync(fileURLToPath(new URL("read_cards.py", import.meta.url)), "utf8");
    const cards = places.map((place) => join(place, "README.md"));
    const read = runTorch(python!, script, { cards }) as {
      readonly yaml: Record<string, unknown>;
      readonly hub: Record<string, unknown>;
      readonly body: string;
      readonly results: readonly unknown[];
    }[];
    for (const [i, path] of cards.entries()) {
      const fields = readFrontMatter(readFileSync(path, "utf8"), path);
      expect(read[i].yaml, path).toEqual(fields);
      expect(read[i].hub, path).toMatchObject({ license: fields.license, tags: fields.tags });
      expect(read[i].body.startsWith("# "), path).toBe(true);
    }
    expect(read[0].yaml).toMatchObject({ license: "cc-by-4.0", base_model: "hubert-small-libri", pipeline_tag: "feature-extraction" }); // biome-ignore format: one line
    expect(read[0].results).toEqual([
      { task: "automatic-speech-recognition", dataset: "libri-6h", split: "test", metric: "per", value: 59.61 },
    ]);
  });
});
