// Trials of two recordings: the equal error rate, its interval over speakers; a trial as a row of a prediction file.
import { StillwaveError } from "../../errors.ts";
import { detectionCurve, equalErrorRate, minimumDetectionCost } from "../../metrics/eer.ts";
import type { Prediction } from "../../metrics/predictions.ts";
import { type ScoredTrial, speakerDraws, verificationScores } from "../../metrics/verification.ts";
import type { Measure, TrialReport } from "./measure.types.ts";

/** The row of a trial: both speakers as reference, the score as hypothesis. */
export const trialRow = (id: string, { speakers, score }: ScoredTrial): Prediction => ({
  id,
  reference: JSON.stringify(speakers),
  hypothesis: String(score),
});

/** @throws StillwaveError naming a row that is no trial */
const trialsOf = (predictions: readonly Prediction[]): ScoredTrial[] =>
  predictions.map(({ id, reference, hypothesis }) => {
    const speakers = namesIn(reference);
    const score = hypothesis.trim() === "" ? Number.NaN : Number(hypothesis);
    if (!speakers || Number.isNaN(score))
      throw new StillwaveError(
        `prediction "${id}" is no trial: expected two speakers as reference, like ["a", "b"], and a score as hypothesis`,
      );
    return { speakers, score };
  });

function namesIn(text: string): readonly [string, string] | undefined {
  try {
    const names: unknown = JSON.parse(text);
    const isPair = Array.isArray(names) && names.length === 2 && names.every((name) => typeof name === "string");
    return isPair ? (names as [string, string]) : undefined;
  } catch {
    return undefined;
  }
}

function reportOf(predictions: readonly Prediction[]): TrialReport {
  const trials = trialsOf(predictions);
  const [scores, isTarget] = verificationScores(trials);
  const curve = detectionCurve(scores, isTarget);
  const speakers = new Set(trials.flatMap((trial) => trial.speakers)).size;
  return { ...equalErrorRate(scores, isTarget), cost: minimumDetectionCost(curve), curve, scores, isTarget, speakers };
}

export const trialMeasure: Measure = {
  metrics: [
    {
      name: "EER",
      isHigherBetter: false,
      value: (predictions) => equalErrorRate(...verificationScores(trialsOf(predictions))).eer,
      units: (predictions) => speakerDraws(trialsOf(predictions)),
    },
  ],
  score(predictions) {
    const report = reportOf(predictions);
    return { kind: "trials", value: report.eer, report };
  },
};
