// IC, intent classification: action, object and location of a command, right only if all are, scored by accuracy.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { INTENT_SLOTS, readFluentCommands } from "../labels/fluent.ts";
import { readLabels } from "../labels/folders.ts";
import { SLOT_SEPARATOR } from "../objectives/classes.ts";
import { classification } from "./classes.ts";
import { listed } from "./submission.ts";

export const ic = classification({
  submission: listed("test_predict.csv", ({ id, hypothesis }) => [id, ...hypothesis.split(SLOT_SEPARATOR)].join(",")),
  title: "intent classification",
  example: "--upstream fbank --data fluent_speech_commands_dataset",
  score: "ic",
  settings: ["data.labelColumns"],
  labelColumns: INTENT_SLOTS,
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
  corpus: async ({ root }, columns) =>
    existsSync(join(root, "data", "train_data.csv")) ? readFluentCommands(root) : readLabels(root, columns, "intent"),
});
