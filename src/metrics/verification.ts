// Speaker verification over a trial list: intervals by drawing speakers, because trials share speakers and recordings.
import { UsageError } from "../errors.ts";
import {
  type BootstrapOptions,
  type DifferenceInterval,
  type Interval,
  pairedInterval,
  percentileInterval,
} from "./bootstrap.ts";
import { RankedTrials, rateBetween } from "./eer.ts";

/** Two recordings, and how alike they are found. */
export interface ScoredTrial {
  readonly speakers: readonly [string, string];
  readonly score: number;
}

/** Draws with replacement: fewer than for independent utterances, since each walks the whole list. */
const DRAWS = 2000;

const isTarget = ({ speakers: [a, b] }: ScoredTrial): boolean => a === b;

export const verificationScores = (trials: readonly ScoredTrial[]) =>
  [trials.map(({ score }) => score), trials.map(isTarget)] as const;

/** Trials by speaker: what a draw of speakers makes of their weights. */
class SpeakerDraws {
  readonly speakers: number;
  private readonly sides: readonly [Int32Array, Int32Array];
  private readonly counts: Float64Array;
  private readonly weights: Float64Array;

  constructor(trials: readonly ScoredTrial[]) {
    const places = new Map<string, number>();
    const placeOf = (name: string) => {
      const place = places.get(name) ?? places.size;
      places.set(name, place);
      return place;
    };
    const side = (which: 0 | 1) => Int32Array.from(trials, ({ speakers }) => placeOf(speakers[which]));
    this.sides = [side(0), side(1)];
    this.speakers = places.size;
    this.counts = new Float64Array(places.size);
    this.weights = new Float64Array(trials.length);
  }

  /** A speaker drawn twice counts twice, with everybody else but not against itself. */
  weightsOf(picked: ArrayLike<number>): Float64Array {
    const { counts, weights } = this;
    const [first, second] = this.sides;
    counts.fill(0);
    for (let i = 0; i < picked.length; i++) counts[picked[i]]++;
    for (let i = 0; i < weights.length; i++)
      weights[i] = first[i] === second[i] ? counts[first[i]] : counts[first[i]] * counts[second[i]];
    return weights;
  }
}

const rate = (ranked: RankedTrials, weights: Float64Array): number => {
  const around = ranked.crossing(weights);
  return around ? rateBetween(around) : Number.NaN;
};

/**
 * Equal error rate in percent with its percentile interval, speakers drawn with replacement.
 * @throws StillwaveError if there are not trials of both kinds, or a score is NaN
 */
export function equalErrorInterval(trials: readonly ScoredTrial[], options: BootstrapOptions): Interval {
  const ranked = new RankedTrials(...verificationScores(trials));
  const draws = new SpeakerDraws(trials);
  const statistic = (picked: ArrayLike<number>) => rate(ranked, draws.weightsOf(picked));
  return percentileInterval(draws.speakers, statistic, { draws: DRAWS, ...options });
}

/**
 * Interval of eer(a) - eer(b) over the same trials, in one order: every draw takes the same speakers of both.
 * @throws UsageError for lists of different trials; StillwaveError as `equalErrorInterval`
 */
export function equalErrorDifference(
  a: readonly ScoredTrial[],
  b: readonly ScoredTrial[],
  options: BootstrapOptions,
): DifferenceInterval {
  const other = a.findIndex(({ speakers }, i) => speakers.join("\0") !== b[i]?.speakers.join("\0"));
  if (a.length !== b.length || other >= 0)
    throw new UsageError(`equalErrorDifference: the lists differ from trial ${Math.max(0, other) + 1} on`);
  const [rankedA, rankedB] = [a, b].map((trials) => new RankedTrials(...verificationScores(trials)));
  const draws = new SpeakerDraws(a);
  return pairedInterval(
    draws.speakers,
    (picked) => {
      const weights = draws.weightsOf(picked);
      return rate(rankedA, weights) - rate(rankedB, weights);
    },
    { draws: DRAWS, ...options },
  );
}
