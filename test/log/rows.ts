// Made-up but plausible rows for the report tests.
import type { TrainRow, ValidationRow } from "../../src/log/metrics.types.ts";

export function trainRow(step: number, change: Partial<TrainRow> = {}): TrainRow {
  const decay = Math.exp(-step / 200);
  return {
    kind: "train",
    step,
    epoch: Math.floor(step / 100),
    seconds: step * 0.8,
    loss: 0.4 + decay,
    hintMasked: 0.2 + decay / 2,
    hintUnmasked: 0.1 + decay / 3,
    lastMasked: 0.3 + decay / 2,
    lastUnmasked: 0.2 + decay / 4,
    perLayerMasked: [0.1 + decay, 0.2 + decay, 0.3 + decay],
    perLayerUnmasked: [0.05 + decay, 0.1 + decay, 0.2 + decay],
    learningRate: 5e-4 * Math.min(1, step / 50),
    gradientNorm: 1 + Math.sin(step) / 4,
    stepSeconds: 0.8,
    audioSecondsPerSecond: 31.5,
    maskedFraction: 0.55,
    paddedFraction: 0.08,
    waitShare: 0.01,
    rssBytes: 1.5e9,
    ...change,
  };
}

export function validationRow(step: number, change: Partial<ValidationRow> = {}): ValidationRow {
  return {
    kind: "validation",
    step,
    epoch: Math.floor(step / 100),
    seconds: step * 0.8,
    loss: 0.35 + Math.exp(-step / 200),
    perLayer: [0.1, 0.2, 0.3],
    utterances: 16,
    ...change,
  };
}
