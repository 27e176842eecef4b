// What the metrics of a run come to: its rows by kind, and the few numbers that tell how it went.
import type { MetricsRow, TrainRow, ValidationRow } from "../../log/metrics.types.ts";
import { quantile } from "../kit/line.ts";

/** The rows of a run, by kind, in the order of their steps. */
export interface RunMetrics {
  readonly train: readonly TrainRow[];
  readonly validation: readonly ValidationRow[];
}

export function splitMetrics(rows: readonly MetricsRow[]): RunMetrics {
  const ordered = [...rows].sort((a, b) => a.step - b.step);
  return {
    train: ordered.filter((row) => row.kind === "train"),
    validation: ordered.filter((row) => row.kind === "validation"),
  };
}

export interface RunSummary {
  readonly steps: number;
  readonly seconds: number;
  /** First and last finite validation loss and the smallest; undefined before the first validation. */
  readonly validation?: { readonly before: ValidationRow; readonly after: ValidationRow; readonly best: ValidationRow };
  /** Median over the steps; NaN without steps. */
  readonly audioSecondsPerSecond: number;
  /** Steps whose loss or gradient norm is not finite. */
  readonly brokenSteps: readonly number[];
}

export function summarise({ train, validation }: RunMetrics): RunSummary {
  const finite = validation.filter(({ loss }) => Number.isFinite(loss));
  const last = [train.at(-1), validation.at(-1)].filter((row) => row !== undefined);
  const speeds = train.map((row) => row.audioSecondsPerSecond);
  const broken = train.filter((row) => !Number.isFinite(row.loss) || !Number.isFinite(row.gradientNorm));
  return {
    steps: Math.max(0, ...last.map(({ step }) => step)),
    seconds: Math.max(0, ...last.map(({ seconds }) => seconds)),
    validation: finite.length
      ? { before: finite[0], after: finite.at(-1)!, best: finite.reduce((a, b) => (b.loss < a.loss ? b : a)) }
      : undefined,
    audioSecondsPerSecond: quantile(speeds, 0.5),
    brokenSteps: broken.map(({ step }) => step),
  };
}
