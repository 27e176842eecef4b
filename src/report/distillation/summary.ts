// What the metrics of a run come to: its rows by kind, and the few numbers that tell how it went.
import { DIVERGENCE } from "../../distill/state.ts";
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

export interface ValidationSummary {
  readonly before: ValidationRow;
  readonly after: ValidationRow;
  /** The lowest after an update; undefined before there is one. */
  readonly best: ValidationRow | undefined;
  /** Those above 1.5 times the one before the first update. */
  readonly diverged: readonly ValidationRow[];
}

export interface RunSummary {
  readonly steps: number;
  readonly seconds: number;
  /** Of the finite validation losses; undefined before the first. */
  readonly validation?: ValidationSummary;
  /** Median over the steps; NaN without steps. */
  readonly audioSecondsPerSecond: number;
  /** Steps whose loss or gradient norm is not finite. */
  readonly brokenSteps: readonly number[];
}

export function summarise({ train, validation }: RunMetrics): RunSummary {
  const last = [train.at(-1), validation.at(-1)].filter((row) => row !== undefined);
  const speeds = train.map((row) => row.audioSecondsPerSecond);
  const broken = train.filter((row) => !Number.isFinite(row.loss) || !Number.isFinite(row.gradientNorm));
  return {
    steps: Math.max(0, ...last.map(({ step }) => step)),
    seconds: Math.max(0, ...last.map(({ seconds }) => seconds)),
    validation: summariseValidation(validation.filter(({ loss }) => Number.isFinite(loss))),
    audioSecondsPerSecond: quantile(speeds, 0.5),
    brokenSteps: broken.map(({ step }) => step),
  };
}

function summariseValidation(finite: readonly ValidationRow[]): ValidationSummary | undefined {
  const [before] = finite;
  const after = finite.at(-1);
  if (!before || !after) return undefined;
  const later = finite.filter(({ step }) => step > 0).toSorted((a, b) => a.loss - b.loss || a.step - b.step);
  const diverged = before.step === 0 ? finite.filter(({ loss }) => loss > DIVERGENCE * before.loss) : [];
  return { before, after, best: later[0], diverged };
}
