// SID, speaker identification: which of the known speakers is talking, scored by accuracy.
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { LabelledCorpus } from "../labels/classes.ts";
import { readLabels } from "../labels/folders.ts";
import { readVoxceleb1 } from "../labels/voxceleb.ts";
import { classData, utteranceHead } from "./classes.ts";
import type { CorpusOptions, Task } from "./task.types.ts";

/** Name of the official split file, as it is handed out. */
const SPLIT_FILES = ["iden_split.txt", "veri_test_class.txt"];

async function corpusOf({ root, splitFile, labelColumns }: CorpusOptions): Promise<LabelledCorpus> {
  const official = splitFile ?? SPLIT_FILES.map((name) => join(root, name)).find(existsSync);
  if (official !== undefined) return readVoxceleb1(root, official);
  return readLabels(root, labelColumns ?? "speaker", "speaker");
}

export const sid: Task = {
  name: "sid",
  title: "speaker identification",
  metric: { name: "accuracy", isHigherBetter: true },
  recipe: {
    learningRates: [1e-1, 1e-2, 1e-3, 1e-4],
    updates: 200_000,
    batchSize: 8,
    accumulate: 4,
    clip: 1,
    evaluateEvery: 5000,
    warmup: 5000,
    batching: "shuffled",
    cropSeconds: 8,
    specAugment: false,
  },
  head: utteranceHead,
  load: async (options) => classData(options.root, await corpusOf(options), options.onBadFile),
};
