// What lies in a folder for a task: the layout, what is there, what is missing.
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { describeCorpus, expected, findCorpus, recognise, usualFolders } from "../../../src/superb/corpora/find.ts";
import { CORPORA } from "../../../src/superb/corpora/layouts.ts";
import { TASKS } from "../../../src/superb/tasks/index.ts";
import { temporaryFolder } from "../../data/corpora.ts";

function folderOf(...files: readonly string[]): string {
  const root = temporaryFolder();
  for (const file of files) {
    const path = join(root, file);
    mkdirSync(file.endsWith("/") ? path : dirname(path), { recursive: true });
    if (!file.endsWith("/")) writeFileSync(path, "x");
  }
  return root;
}

test("every task says where its corpora are looked for", () => {
  for (const task of Object.keys(TASKS)) {
    expect(Object.keys(CORPORA)).toContain(task);
    expect(usualFolders(task)[0]).toBe(task);
    expect(expected(task)).not.toBe("");
  }
});

describe("a folder", () => {
  test.each([
    ["pr", ["train-clean-100/", "dev-clean/", "test-clean/", "lexicon.txt"], "LibriSpeech", true],
    ["asr", ["train/", "test.tsv"], "splits of speech", false],
    [
      "ks",
      ["speech_commands_v0.01/_background_noise_/", "speech_commands_test_set_v0.01/"],
      "Speech Commands v1",
      true,
    ],
    ["ks", ["labels.tsv", "train/", "test/"], "labels.tsv (columns label)", false],
    ["sid", ["dev/wav/", "iden_split.txt"], "VoxCeleb1", true],
    [
      "ic",
      ["data/train_data.csv", "data/valid_data.csv", "data/test_data.csv", "wavs/"],
      "Fluent Speech Commands",
      true,
    ],
    ["er", [1, 2, 3, 4, 5].map((n) => `Session${n}/dialog/EmoEvaluation/`), "IEMOCAP", true],
    ["sf", ["all.iob.snips.txt", "slots.txt", "train/", "valid/", "test/"], "Audio SNIPS", true],
    [
      "sf",
      ["voices.tsv", "all.iob.snips.txt", "slots.txt", "train/", "valid/", "test/"],
      "SNIPS spoken by espeak-ng",
      false,
    ],
    ["asv", ["dev/wav/", "voxceleb1_test_v2.txt"], "VoxCeleb1", true],
    ["sd", ["mixtures.tsv", "utterances.rttm"], "mixtures.tsv", false],
    ["qbe", ["truth.tsv", "queries/", "documents.tsv"], "queries, documents and truth.tsv", false],
  ] as const)("of %s with %j is recognised", (task, files, layout, isBenchmark) => {
    const found = recognise(task, folderOf(...files));
    expect(found).toMatchObject({ layout, isBenchmark, missing: [] });
  });

  test("what is missing is said, and what stands for it", () => {
    const root = folderOf("train-clean-100/", "test-clean/");
    const found = recognise("pr", root);
    expect(found?.missing).toEqual(["dev-clean/"]);
    expect(found?.remarks).toEqual(["no phones.txt or a lexicon: name one with --lexicon"]);
    expect(describeCorpus("pr", { root })).toBe(
      `${root}: LibriSpeech; found train-clean-100, test-clean; missing dev-clean/; no phones.txt or a lexicon: name one with --lexicon`,
    );
    expect(describeCorpus("qbe", { root })).toContain("in no layout that qbe knows by name: QUESST 2014 (scoring/");
    expect(describeCorpus("pr", { root: join(root, "list.tsv") })).toBeUndefined();
  });

  test("a lexicon beside the speech is used", () => {
    const root = folderOf("train/", "test/", "lexicon.txt");
    expect(recognise("pr", root)?.settings).toEqual({ lexicon: [join(root, "lexicon.txt")] });
    expect(recognise("pr", folderOf("train/", "test/", "phones.txt", "lexicon.txt"))?.settings).toEqual({});
  });
});

describe("below a root of data", () => {
  test("a folder called like the task comes first, then those of corpora; links are followed", () => {
    const root = folderOf("LibriSpeech/train-clean-100/", "LibriSpeech/dev-clean/", "LibriSpeech/test-clean/");
    expect(findCorpus("pr", root)?.root).toBe(join(root, "LibriSpeech"));
    symlinkSync(folderOf("train/", "test/"), join(root, "pr"));
    expect(findCorpus("pr", root)).toMatchObject({ root: join(root, "pr"), isBenchmark: false });
    expect(findCorpus("asr", root)?.isBenchmark).toBe(true);
    expect(findCorpus("sid", root)).toBeUndefined();
  });

  test("archives side by side are found, and folders called train are no keywords", () => {
    expect(findCorpus("ks", folderOf("train/", "test/"))).toBeUndefined();
    const root = folderOf("speech_commands_v0.01/_background_noise_/", "speech_commands_test_set_v0.01/");
    expect(findCorpus("ks", root)?.layout).toBe("Speech Commands v1");
  });
});
