// IC, intent classification: action, object and location of a command, right only if all are, scored by accuracy.
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { LabelledCorpus } from "../labels/classes.ts";
import { INTENT_SLOTS, readFluentCommands } from "../labels/fluent.ts";
import { readLabels } from "../labels/folders.ts";
import { classData, utteranceHead } from "./classes.ts";
import type { CorpusOptions, Task } from "./task.types.ts";

async function corpusOf({ root, labelColumns }: CorpusOptions): Promise<LabelledCorpus> {
  if (existsSync(join(root, "data", "train_data.csv"))) return readFluentCommands(root);
  return readLabels(root, labelColumns ?? INTENT_SLOTS, "intent");
}

export const ic: Task = {
  name: "ic",
  title: "intent classification",
  metric: { name: "accuracy", isHigherBetter: true },
  recipe: {
    learningRates: [1e-4],
    updates: 200_000,
    batchSize: 32,
    accumulate: 1,
    clip: 1,
    evaluateEvery: 5000,
    warmup: 1000,
    batching: "shuffled",
    specAugment: false,
  },
  head: utteranceHead,
  load: async (options) => classData(options.root, await corpusOf(options), options.onBadFile),
};
