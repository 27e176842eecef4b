// Bootstrap over utterances: confidence intervals of corpus rates and of differences (Bisani and Ney, ICASSP 2004).
// Ours because an interval must come out the same from the same seed, in every version and on every machine.
import { UsageError } from "../errors.ts";
import { Random } from "../random.ts";
import { quantileOf } from "./distributions.ts";

/** One utterance's share of a corpus rate: the rate is sum(numerator) / sum(denominator). */
export interface RatioSample {
  readonly numerator: number;
  readonly denominator: number;
}

export interface BootstrapOptions {
  readonly seed: number;
  /** Corpora drawn with replacement. Default 10,000. */
  readonly draws?: number;
  /** Default 0.95. */
  readonly confidence?: number;
}

export interface Interval {
  readonly estimate: number;
  readonly low: number;
  readonly high: number;
  readonly confidence: number;
  readonly draws: number;
}

/**
 * Percentile interval of a corpus rate, utterances drawn with replacement.
 * @throws UsageError without samples, for NaN, a negative denominator, or a denominator that sums to 0.
 */
export const bootstrapRate = (samples: readonly RatioSample[], options: BootstrapOptions): Interval =>
  percentileInterval(samples.length, rateOf("bootstrapRate", samples), options);

export interface DifferenceInterval extends Interval {
  /** Share of draws in which the second system has the smaller rate; ties count half. */
  readonly probabilityOfImprovement: number;
}

/**
 * Percentile interval of rate(a) - rate(b), both systems scored on the same utterances: each draw takes the same
 * utterances of both, so that easy and hard ones cancel.
 * @throws UsageError as `bootstrapRate`, and for different numbers of utterances.
 */
export function bootstrapDifference(
  a: readonly RatioSample[],
  b: readonly RatioSample[],
  options: BootstrapOptions,
): DifferenceInterval {
  const [rateA, rateB] = [a, b].map((samples) => rateOf("bootstrapDifference", samples));
  if (a.length !== b.length) throw new UsageError(`bootstrapDifference: ${a.length} utterances against ${b.length}`);
  const betterOf = (value: number) => (value > 0 ? 1 : value === 0 ? 0.5 : 0);
  let better = 0;
  let drawn = 0;
  const difference = (picked: ArrayLike<number>) => {
    const value = rateA(picked) - rateB(picked);
    better += betterOf(value);
    drawn++;
    return value;
  };
  const interval = percentileInterval(a.length, difference, options);
  // the first evaluation is the estimate itself
  return { ...interval, probabilityOfImprovement: (better - betterOf(interval.estimate)) / (drawn - 1) };
}

/** Interval of any statistic of a set of utterance indices, e.g. an equal error rate or an F1. */
export const percentileInterval = (
  count: number,
  statistic: (picked: ArrayLike<number>) => number,
  options: BootstrapOptions,
): Interval => stratifiedInterval([count], ([picked]) => statistic(picked), options);

/**
 * The same of a statistic of several groups of utterances, such as the mean over folds: every draw takes as many of each
 * group, with replacement, as the group has.
 */
export function stratifiedInterval(
  counts: readonly number[],
  statistic: (picked: readonly ArrayLike<number>[]) => number,
  options: BootstrapOptions,
): Interval {
  const { seed, draws = 10_000, confidence = 0.95 } = options;
  if (!(Number.isInteger(draws) && draws >= 1)) throw new UsageError(`draws: expected at least 1, got ${draws}`);
  if (!(confidence > 0 && confidence < 1)) throw new UsageError(`confidence: expected 0 to 1, got ${confidence}`);
  const picked = counts.map((count) => Int32Array.from({ length: count }, (_, i) => i));
  const estimate = statistic(picked);
  const random = new Random(seed, "bootstrap");
  const values = new Float64Array(draws);
  let finite = 0;
  for (let draw = 0; draw < draws; draw++) {
    for (const group of picked) for (let i = 0; i < group.length; i++) group[i] = random.integer(group.length);
    const value = statistic(picked);
    // a draw of empty references only, or of one class only, has no rate
    if (Number.isFinite(value)) values[finite++] = value;
  }
  const sorted = values.subarray(0, finite).sort();
  const tail = (1 - confidence) / 2;
  const [low, high] = finite > 0 ? [quantileOf(sorted, tail), quantileOf(sorted, 1 - tail)] : [estimate, estimate];
  return { estimate, low, high, confidence, draws: finite };
}

/**
 * The rate of the samples with given indices, once the samples have been checked; `name` begins errors.
 * @throws UsageError as `bootstrapRate`
 */
export function rateOf(name: string, samples: readonly RatioSample[]): (picked: ArrayLike<number>) => number {
  if (samples.length === 0) throw new UsageError(`${name}: there are no utterances`);
  const numerators = Float64Array.from(samples, ({ numerator }) => numerator);
  const denominators = Float64Array.from(samples, ({ denominator }) => denominator);
  const bad = samples.findIndex(({ numerator, denominator }) => !Number.isFinite(numerator) || !(denominator >= 0));
  if (bad >= 0) throw new UsageError(`${name}: utterance ${bad} has counts that are no counts`);
  const total = denominators.reduce((sum, denominator) => sum + denominator, 0);
  if (!(total > 0 && Number.isFinite(total))) throw new UsageError(`${name}: the denominators sum to ${total}`);
  return (picked) => {
    let above = 0;
    let below = 0;
    for (let i = 0; i < picked.length; i++) {
      above += numerators[picked[i]];
      below += denominators[picked[i]];
    }
    return above / below;
  };
}
