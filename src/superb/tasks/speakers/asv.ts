// ASV, speaker verification: are two recordings by one speaker? Embeddings of an x-vector head, scored by the equal error rate.
import { StillwaveError } from "../../../errors.ts";
import type { Task } from "../task.types.ts";
import { voiceData } from "./voices.ts";

export const asv: Task = {
  title: "speaker verification",
  summary: "EER of an x-vector head",
  example: "--upstream facebook/hubert-base-ls960 --data VoxCeleb1",
  metric: { name: "EER", score: "eer", isHigherBetter: false },
  unit: "trial",
  settings: ["data.splits", "data.trials", "head.hidden"],
  choosesOnTest: ["checkpoint"],
  recipe: {
    learningRates: [1e-4],
    updates: 200_000,
    batchSize: 10,
    accumulate: 5,
    clip: 1000,
    // the benchmark tests every second checkpoint of those that it saves
    evaluateEvery: 20_000,
    warmup: 6000,
    batching: "shuffled",
    cropSeconds: 8,
    specAugment: false,
    weightDecay: 0.01,
  },
  head: (outputs, { projection = 512, hidden = 512, normalizeStates = false }) => ({
    kind: "xvector",
    projection,
    hidden,
    aggregation: 1500,
    outputs,
    normalizeStates,
  }),
  load: voiceData,
  submission: async ({ folder, test }) => {
    // recordings are named by their folders, joined by hyphens
    const lines = test.map(({ id, hypothesis }) => {
      const [first, second, ...more] = id.split(" ").map((name) => name.replaceAll("/", "-"));
      if (more.length > 0)
        throw new StillwaveError(
          `${folder}: "${id}": the leaderboard's lines part names by blanks; call recordings without`,
        );
      return `${first}_${second} ${hypothesis}\n`;
    });
    return [{ name: "test_predict.txt", content: lines.join("") }];
  },
};
