// One line of metrics.jsonl: what training, validation and the report agree on.

/** Of recipes that list objectives: values of every objective's terms, not weighted, as `<objective>.<term>`. */
export type ObjectiveTerms = Readonly<Record<string, readonly number[]>>;

/** Without the layer objective its losses are 0, and the lists are empty. */
export interface TrainRow {
  readonly kind: "train";
  readonly step: number;
  readonly epoch: number;
  /** Seconds since the run began, summed over resumes. */
  readonly seconds: number;
  readonly loss: number;
  readonly hintMasked: number;
  readonly hintUnmasked: number;
  readonly lastMasked: number;
  readonly lastUnmasked: number;
  readonly perLayerMasked: readonly number[];
  readonly perLayerUnmasked: readonly number[];
  readonly terms?: ObjectiveTerms;
  readonly learningRate: number;
  readonly gradientNorm: number;
  /** In fp16 only: what the loss will be multiplied by next, and the updates skipped so far because gradients overflowed. */
  readonly lossScale?: number;
  readonly skippedUpdates?: number;
  readonly stepSeconds: number;
  readonly audioSecondsPerSecond: number;
  readonly maskedFraction: number;
  /** Share of the batches' samples that are padding. NaN in rows of runs that were begun before it was recorded. */
  readonly paddedFraction: number;
  /** Share of the updates' time, since the last row, in which training waited for speech. NaN as above. */
  readonly waitShare: number;
  readonly rssBytes: number;
}

export interface ValidationRow {
  readonly kind: "validation";
  readonly step: number;
  readonly epoch: number;
  readonly seconds: number;
  readonly loss: number;
  readonly perLayer: readonly number[];
  readonly terms?: ObjectiveTerms;
  readonly utterances: number;
}

export type MetricsRow = TrainRow | ValidationRow;
