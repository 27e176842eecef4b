// What an evaluation leaves behind: result.json of its run folder. Reports, comparisons and scores are made from it and the predictions.
import type { ErrorUnit } from "../../metrics/error-rate.ts";
import type { TaskName } from "../tasks/index.ts";
import type { SplitFacts } from "../tasks/task.types.ts";
import type { EvaluationPoint } from "../training/state.ts";

/** A metric on the test split, in percent. */
export interface MetricValue {
  /** `PER`, `WER`, `accuracy`. */
  readonly name: string;
  readonly value: number;
  /** Bootstrap interval. */
  readonly low: number;
  readonly high: number;
  readonly confidence: number;
  readonly isHigherBetter: boolean;
}

/** One way of decoding the same logits. */
export interface DecodingResult {
  /** `greedy`, `prefix beam 10`, `lexicon beam 5, 4-gram.arpa`. */
  readonly name: string;
  readonly metric: MetricValue;
  /** Relative to the run folder. */
  readonly predictions: string;
}

/** The training of one head at one learning rate. */
export interface LearningRateResult {
  readonly learningRate: number;
  readonly steps: number;
  readonly best: { readonly step: number; readonly dev: number } | null;
  readonly curve: readonly EvaluationPoint[];
  /** Updates left out because their gradient was not finite. */
  readonly skippedSteps: number;
  readonly chosen: boolean;
}

export interface EvaluationResult {
  readonly format: 1;
  readonly task: TaskName;
  readonly created: string;
  readonly upstream: {
    readonly name: string;
    readonly kind: "model" | "onnx" | "fbank" | "mfcc";
    readonly fingerprint: string;
    readonly layers: readonly string[];
    readonly dim: number;
    readonly samplesPerFrame: number;
    readonly parameters: number | null;
  };
  readonly data: {
    readonly root: string;
    readonly fingerprint: string;
    readonly train: SplitFacts;
    readonly dev: SplitFacts;
    readonly test: SplitFacts;
  };
  /** `superb`: the benchmark's own lengths. `fixed`: trained until the dev score stopped improving. */
  readonly protocol: "superb" | "fixed";
  /** Every other option by name, resolved: seed, batch, schedule, head widths, ... */
  readonly options: Readonly<Record<string, string | number | boolean | null>>;
  /** The headline: greedy decoding or accuracy on test, of the learning rate that was best on dev. */
  readonly metric: MetricValue;
  /** The same metric on dev, of the same head. */
  readonly dev: number;
  /** All decodings (CTC tasks); the first is the headline. */
  readonly decodings: readonly DecodingResult[];
  /** What errors are counted in; null: answers are right or wrong as wholes. */
  readonly unit: ErrorUnit | null;
  /** Softmaxed weights of the hidden states, in the order of `upstream.layers`. */
  readonly layerWeights: readonly number[];
  readonly headParameters: number;
  readonly learningRates: readonly LearningRateResult[];
  readonly seconds: { readonly features: number; readonly training: number; readonly testing: number };
  /** Prediction files relative to the run folder. */
  readonly predictions: { readonly dev: string; readonly test: string };
  readonly environment: Readonly<Record<string, string | number>>;
}
