// Speaker verification over a trial list: intervals by drawing speakers, because trials share speakers and recordings.
import { type BootstrapOptions, type Interval, percentileInterval } from "./bootstrap.ts";
import { RankedTrials, rateBetween } from "./eer.ts";

/** Two recordings, and how alike they are found. */
export interface ScoredTrial {
  readonly speakers: readonly [string, string];
  readonly score: number;
}

const isTarget = ({ speakers: [a, b] }: ScoredTrial): boolean => a === b;

/** Scores of trials, and which of them are of one speaker. */
export const verificationScores = (trials: readonly ScoredTrial[]) =>
  [trials.map(({ score }) => score), trials.map(isTarget)] as const;

/** The equal error rate of drawn speakers. */
export interface SpeakerDraws {
  /** How many speakers there are. */
  readonly count: number;
  /** In percent, of the speakers with these indices; NaN where they leave no trials of one kind. */
  metricOf(picked: ArrayLike<number>): number;
}

/**
 * A speaker drawn twice counts twice, with everybody else but not against itself.
 * @throws StillwaveError if there are not trials of both kinds, or a score is NaN
 */
export function speakerDraws(trials: readonly ScoredTrial[]): SpeakerDraws {
  const ranked = new RankedTrials(...verificationScores(trials));
  const places = new Map<string, number>();
  const placeOf = (name: string) => {
    const place = places.get(name) ?? places.size;
    places.set(name, place);
    return place;
  };
  const [first, second] = ([0, 1] as const).map((side) =>
    Int32Array.from(trials, ({ speakers }) => placeOf(speakers[side])),
  );
  const counts = new Float64Array(places.size);
  const weights = new Float64Array(trials.length);
  return {
    count: places.size,
    metricOf(picked) {
      counts.fill(0);
      for (let i = 0; i < picked.length; i++) counts[picked[i]]++;
      for (let i = 0; i < weights.length; i++)
        weights[i] = counts[first[i]] * (first[i] === second[i] ? 1 : counts[second[i]]);
      const around = ranked.crossing(weights);
      return around ? rateBetween(around) : Number.NaN;
    },
  };
}

/**
 * Equal error rate in percent with its percentile interval, speakers drawn with replacement.
 * @throws StillwaveError if there are not trials of both kinds, or a score is NaN
 */
export function equalErrorInterval(trials: readonly ScoredTrial[], options: BootstrapOptions): Interval {
  const { count, metricOf } = speakerDraws(trials);
  return percentileInterval(count, metricOf, options);
}
