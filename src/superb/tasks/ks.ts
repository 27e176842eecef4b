// KS, keyword spotting: one of a few words an utterance, scored by accuracy.
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { basename, extname, join } from "node:path";
import { StillwaveError } from "../../errors.ts";
import type { Prediction } from "../../metrics/predictions.ts";
import type { LabelledCorpus } from "../labels/classes.ts";
import { readLabels } from "../labels/folders.ts";
import { readSpeechCommands } from "../labels/speech-commands.ts";
import type { DataSettings } from "../recipe/schema.ts";
import { classification } from "./classes.ts";
import { listed } from "./submission.ts";

const NOISE = "_background_noise_";

/** The archives side by side below `root`, or the training archive itself with the test archive given. */
async function speechCommands({ root, testRoot }: DataSettings): Promise<LabelledCorpus | undefined> {
  if (existsSync(join(root, NOISE))) {
    if (!testRoot)
      throw new StillwaveError(
        `${root}: the training archive of Speech Commands; name the folder of the test archive with --test-data <dir>`,
      );
    return readSpeechCommands(root, testRoot);
  }
  const below = await readdir(root, { withFileTypes: true }).catch(() => []);
  const names = below.filter((entry) => !entry.isFile()).map(({ name }) => name);
  const train = names.find((name) => existsSync(join(root, name, NOISE)));
  const test = testRoot ?? names.find((name) => /speech_commands_test/i.test(name));
  if (train === undefined) return undefined;
  if (test === undefined)
    throw new StillwaveError(`${root}: no test archive of Speech Commands beside ${train}; name it with --test-data`);
  return readSpeechCommands(join(root, train), testRoot ?? join(root, test));
}

/** By the name of the file alone, as the reference has it. */
const stemOf = ({ id, audio = id }: Prediction) => basename(audio, extname(audio));

export const ks = classification({
  submission: listed("test_predict.txt", (row) => `${stemOf(row)} ${row.hypothesis}`),
  title: "keyword spotting",
  example: "--upstream runs/quickstart/best --data speech_commands",
  score: "ks",
  settings: ["data.labelColumns", "data.testRoot"],
  labelColumns: ["label"],
  recipe: {
    learningRates: [1e-4],
    updates: 200_000,
    batchSize: 32,
    accumulate: 1,
    clip: 1,
    evaluateEvery: 5000,
    warmup: 1400,
    batching: "balanced",
    gainDb: -3,
    specAugment: false,
  },
  corpus: async (data, columns) => (await speechCommands(data)) ?? readLabels(data.root, columns, "keyword"),
});
