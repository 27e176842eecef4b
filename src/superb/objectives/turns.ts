// Who speaks when: probabilities of frames, whatever the order of speakers, read as turns by thresholds and votes.

import { DIARIZED_SPEAKERS, frameErrors, permutationLoss, type SpokenFrames } from "../../speakers/permutation.ts";
import { encodeFloats } from "../../speakers/probabilities.ts";
import { turnsOf } from "../../speakers/turns.ts";
import type { HeadOutput } from "../heads/step.ts";
import type { Label } from "../labels/utterance.types.ts";
import { turnsText } from "../measures/turns.ts";
import type { Objective, Reading } from "./objective.types.ts";
import { logitsOf } from "./reading.ts";
import type { TurnSpec } from "./spec.ts";

/** Those among which the benchmark's script takes the best. */
const THRESHOLDS: readonly number[] = [0.5, 0.3, 0.4, 0.6, 0.7];
const MEDIANS: readonly number[] = [1, 11];

/** Each item's true frames: as many as its labels have. */
const framesOf = (output: HeadOutput, labels: readonly Label[]): SpokenFrames[] =>
  labels.map((label, item) => {
    const logits = logitsOf(output, item);
    return { logits, labels: label, frames: Math.min(logits.length, label.length) / DIARIZED_SPEAKERS };
  });

const reading = (threshold: number, median: number, samplesPerFrame: number): Reading<Float32Array> => ({
  name: `threshold ${threshold}, median ${median}`,
  answers: (output) =>
    output.frames.map((_, item) => logitsOf(output, item).map((logit) => 1 / (1 + Math.exp(-logit)))),
  predictions: (answers, { utterances }) =>
    utterances.map(({ id, reference, path, segment }) => {
      const probabilities = answers.get(id) ?? new Float32Array(0);
      const turns = turnsOf(id, probabilities, DIARIZED_SPEAKERS, { threshold, median, samplesPerFrame });
      return { id, reference, hypothesis: turnsText(turns), audio: path, segment, detail: encodeFloats(probabilities) };
    }),
});

/** @param spec `samplesPerFrame` of the labels, which is the upstream's */
export function turnObjective(spec: TurnSpec): Objective {
  const [first, ...others] = MEDIANS.flatMap((median) =>
    THRESHOLDS.map((threshold) => reading(threshold, median, spec.samplesPerFrame)),
  );
  return {
    spec,
    outputs: DIARIZED_SPEAKERS,
    unit: "turn",
    loss(output, labels) {
      const cotangent = new Float32Array(output.logits.length);
      const gradients = labels.map((_, item) => logitsOf({ ...output, logits: cotangent }, item));
      return { loss: permutationLoss(framesOf(output, labels), gradients), cotangent, infinite: 0 };
    },
    readings: [first, ...others],
    devScore: {
      name: "frame accuracy",
      isHigherBetter: true,
      of: (output, labels) =>
        framesOf(output, labels).map((recording) => {
          const { correct, frames, spoken } = frameErrors(recording);
          // a recording without speech counts as wrong, as in the benchmark
          return spoken > 0 ? (100 * correct) / frames : 0;
        }),
    },
  };
}
