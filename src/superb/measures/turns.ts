// Turns of speakers: the diarisation error rate and what it is made of; the turns of a recording as a row of a prediction file.
import { z } from "zod";
import { StillwaveError } from "../../errors.ts";
import {
  type DiarizationErrors,
  diarizationErrorRate,
  diarizationErrors,
  diarizationErrorsByOverlap,
  type SpeakerTurn,
} from "../../metrics/der.ts";
import type { Prediction } from "../../metrics/predictions.ts";
import type { Measure, Metric, RecordingTurns, TurnReport } from "./measure.types.ts";
import { shares } from "./shares.ts";

const seconds = z.number().min(0);
/** `[["a", 0.5, 2.25], ...]`: speaker, start and end in seconds. */
const schema = z.array(z.tuple([z.string(), seconds, seconds]));

export const turnsText = (turns: readonly SpeakerTurn[]): string =>
  JSON.stringify(turns.map(({ speaker, startSeconds, endSeconds }) => [speaker, startSeconds, endSeconds]));

function turnsIn(id: string, text: string): SpeakerTurn[] {
  try {
    return schema.parse(JSON.parse(text)).map(([speaker, startSeconds, endSeconds]) => {
      return { speaker, startSeconds, endSeconds };
    });
  } catch {
    throw new StillwaveError(`prediction "${id}" holds no turns: expected [["speaker", start, end], ...] in seconds`);
  }
}

/** @throws StillwaveError naming a row that holds no turns */
export const recordingTurns = (predictions: readonly Prediction[]): RecordingTurns[] =>
  predictions.map(({ id, reference, hypothesis }) => ({
    id,
    reference: turnsIn(id, reference),
    hypothesis: turnsIn(id, hypothesis),
  }));

type Part = Exclude<keyof DiarizationErrors, "speechSeconds">;
const PARTS: readonly Part[] = ["missedSeconds", "falseAlarmSeconds", "confusionSeconds"];

/** A part of the errors, or all of them, over the speech of all recordings. */
function metric(name: string, parts: readonly Part[]): Metric {
  const units = (predictions: readonly Prediction[]) =>
    shares(
      recordingTurns(predictions).map(({ reference, hypothesis }) => {
        const errors = diarizationErrors(reference, hypothesis);
        const numerator = 100 * parts.reduce((sum, part) => sum + errors[part], 0);
        return { numerator, denominator: errors.speechSeconds };
      }),
    );
  return {
    name,
    isHigherBetter: false,
    value(predictions) {
      const { count, metricOf } = units(predictions);
      return metricOf(Int32Array.from({ length: count }, (_, i) => i));
    },
    units,
  };
}

function reportOf(predictions: readonly Prediction[]): TurnReport {
  const recordings = recordingTurns(predictions).map((turns) => {
    return { ...turns, errors: diarizationErrors(turns.reference, turns.hypothesis) };
  });
  const parts = recordings.map(({ reference, hypothesis }) => diarizationErrorsByOverlap(reference, hypothesis));
  const sum = (list: readonly DiarizationErrors[]): DiarizationErrors => {
    const of = (key: keyof DiarizationErrors) => list.reduce((total, one) => total + one[key], 0);
    const [missedSeconds, falseAlarmSeconds, confusionSeconds] = PARTS.map(of);
    return { speechSeconds: of("speechSeconds"), missedSeconds, falseAlarmSeconds, confusionSeconds };
  };
  return {
    recordings,
    errors: sum(recordings.map(({ errors }) => errors)),
    byOverlap: {
      silence: sum(parts.map(({ silence }) => silence)),
      single: sum(parts.map(({ single }) => single)),
      overlap: sum(parts.map(({ overlap }) => overlap)),
    },
  };
}

/** The headline first: its value is the sum of the others. */
export const turnMeasure: Measure = {
  metrics: [
    metric("DER", PARTS),
    metric("missed speech", ["missedSeconds"]),
    metric("false alarms", ["falseAlarmSeconds"]),
    metric("confused speakers", ["confusionSeconds"]),
  ],
  score(predictions) {
    const report = reportOf(predictions);
    return { kind: "turns", value: diarizationErrorRate([report.errors]), report };
  },
};
