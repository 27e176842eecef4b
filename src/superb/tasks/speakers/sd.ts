// SD, diarisation: who of two speakers speaks when, in frames of a mixture, scored by the diarisation error rate.
import { hdf5File } from "../../../checkpoint/formats/hdf5.ts";
import { StillwaveError } from "../../../errors.ts";
import { DIARIZED_SPEAKERS } from "../../../speakers/permutation.ts";
import { decodeFloats } from "../../../speakers/probabilities.ts";
import { rttmLines } from "../../../speakers/rttm.ts";
import { recordingTurns } from "../../measures/turns.ts";
import type { SubmissionFile, Task, TestedRun } from "../task.types.ts";
import { turnData } from "./conversations.ts";

export const sd: Task = {
  title: "speaker diarisation",
  summary: "DER of an LSTM head forward in time",
  example: "--upstream facebook/hubert-base-ls960 --data Libri2Mix",
  metric: { name: "DER", score: "der", isHigherBetter: false },
  chooser: { name: "frame accuracy", isHigherBetter: true },
  unit: "turn",
  settings: ["data.speech", "head.hidden"],
  choosesOnTest: ["reading"],
  recipe: {
    learningRates: [1e-4],
    updates: 30_000,
    batchSize: 8,
    accumulate: 4,
    clip: 1,
    evaluateEvery: 500,
    warmup: 1400,
    batching: "shuffled",
    specAugment: false,
  },
  head: (outputs, { hidden = 512, normalizeStates = false }) => ({
    kind: "lstm",
    hidden,
    lstmLayers: 1,
    outputs,
    normalizeStates,
  }),
  load: turnData,
  submission,
};

/** Probabilities of every recording as the leaderboard takes them, and the turns that the score is of. */
async function submission({ folder, test, samplesPerFrame = 320 }: TestedRun): Promise<readonly SubmissionFile[]> {
  const files = test.map(({ id, detail }): SubmissionFile => {
    const data = detail === undefined ? undefined : decodeFloats(detail);
    if (!data)
      throw new StillwaveError(`${folder}: the predictions hold no probabilities of "${id}"; test again (--resume)`);
    return { name: `${id}.h5`, content: hdf5File("T_hat", { shape: [data.length / DIARIZED_SPEAKERS, DIARIZED_SPEAKERS], data }) }; // biome-ignore format: one line
  });
  const turns = recordingTurns(test).map(({ id, hypothesis }) => rttmLines(id, hypothesis));
  return [
    ...files,
    { name: "frame_shift", content: `${samplesPerFrame}` },
    { name: "test.rttm", content: turns.join("") },
  ];
}
