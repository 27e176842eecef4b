// Metrics that are a sum over utterances divided by another: each utterance has a share in both.
import { type RatioSample, rateOf } from "../../metrics/bootstrap.ts";
import type { Units } from "./measure.types.ts";

/** One sample an utterance, numerators times 100. */
export const shares = (samples: readonly RatioSample[]): Units => ({
  count: samples.length,
  metricOf: rateOf("shares", samples),
});
