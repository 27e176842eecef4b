// SID, speaker identification: which of the known speakers is talking, scored by accuracy.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { readLabels } from "../labels/folders.ts";
import { readVoxceleb1 } from "../labels/voxceleb.ts";
import { classification } from "./classes.ts";
import { listed } from "./submission.ts";

/** Name of the official split file, as it is handed out. */
const SPLIT_FILES = ["iden_split.txt", "veri_test_class.txt"];

export const sid = classification({
  submission: listed("test_predict.txt", ({ id, hypothesis }) => `${id.replaceAll("/", "-")} ${hypothesis}`),
  title: "speaker identification",
  example: "--upstream student.onnx --data VoxCeleb1 --lr sweep",
  score: "sid",
  settings: ["data.labelColumns", "data.splitFile"],
  labelColumns: ["speaker"],
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
  async corpus({ root, splitFile }, columns) {
    const official = splitFile ?? SPLIT_FILES.map((name) => join(root, name)).find(existsSync);
    return official === undefined ? readLabels(root, columns, "speaker") : readVoxceleb1(root, official);
  },
});
