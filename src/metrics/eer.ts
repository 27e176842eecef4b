// Detection of one speaker: the curve of misses against false alarms, its equal error rate and least cost.
// Ours because the interpolation decides the last digit, and benchmarks fix it.
import { StillwaveError, UsageError } from "../errors.ts";

/** What happens where scores from `threshold` up are accepted. */
export interface DetectionPoint {
  readonly threshold: number;
  /** Shares of target trials refused and of other trials accepted, 0 to 1. */
  readonly missRate: number;
  readonly falseAlarmRate: number;
}

export interface EqualErrorRate {
  /** In percent. */
  readonly eer: number;
  /**
   * The score from which on trials are accepted such that misses and false alarms are as equally frequent as any threshold
   * makes them. Trials of one score are accepted together, so that the two may differ: `missRate` and `falseAlarmRate`.
   */
  readonly threshold: number;
  readonly missRate: number;
  readonly falseAlarmRate: number;
  readonly targets: number;
  readonly nonTargets: number;
}

/** Trials by falling score, those of one score together. */
export class RankedTrials {
  readonly targets: number;
  readonly nonTargets: number;
  private readonly scores: ArrayLike<number>;
  private readonly isTarget: ArrayLike<boolean>;
  private readonly order: Int32Array;

  /**
   * @param scores larger means more alike
   * @param isTarget true where both recordings are of one speaker
   * @throws StillwaveError if there are not trials of both kinds, or a score is NaN
   */
  constructor(scores: ArrayLike<number>, isTarget: ArrayLike<boolean>) {
    const count = scores.length;
    if (count !== isTarget.length) throw new StillwaveError(`${count} scores for ${isTarget.length} trials`);
    let targets = 0;
    for (let i = 0; i < count; i++) {
      if (Number.isNaN(scores[i])) throw new StillwaveError(`trial ${i} has the score NaN`);
      if (isTarget[i]) targets++;
    }
    this.scores = scores;
    this.isTarget = isTarget;
    this.targets = targets;
    this.nonTargets = count - targets;
    if (this.targets === 0 || this.nonTargets === 0) {
      const kind = targets > 0 ? "of one speaker" : "of two speakers";
      const all = count === 0 ? "there are no trials" : `all ${count} trials are ${kind}`;
      throw new StillwaveError(`no equal error rate: ${all}; trials of one speaker and of two are both needed`);
    }
    // infinite scores are compared, not subtracted
    const falling = (a: number, b: number) => (scores[a] > scores[b] ? -1 : scores[a] < scores[b] ? 1 : 0);
    this.order = Int32Array.from({ length: count }, (_, i) => i).sort(falling);
  }

  /** The points of the curve by falling threshold, beginning with the one at which nothing is accepted. */
  *points(): Generator<DetectionPoint, void, undefined> {
    const { order, scores, isTarget, targets, nonTargets } = this;
    let [hits, alarms] = [0, 0];
    yield { threshold: Number.POSITIVE_INFINITY, missRate: 1, falseAlarmRate: 0 };
    for (let i = 0; i < order.length; ) {
      const threshold = scores[order[i]];
      for (; i < order.length && scores[order[i]] === threshold; i++) {
        if (isTarget[order[i]]) hits++;
        else alarms++;
      }
      yield { threshold, missRate: 1 - hits / targets, falseAlarmRate: alarms / nonTargets };
    }
  }

  /** The two neighbours on the curve between which misses and false alarms meet; undefined where weights leave no curve. */
  crossing(weights?: ArrayLike<number>): readonly [DetectionPoint, DetectionPoint] | undefined {
    const { order, scores, isTarget } = this;
    const [targets, nonTargets] = this.totals(weights);
    if (!(targets > 0 && nonTargets > 0)) return undefined;
    let [hits, alarms, threshold] = [0, 0, Number.POSITIVE_INFINITY];
    const point = (at: number, accepted: number, wrongly: number): DetectionPoint => {
      return { threshold: at, missRate: 1 - accepted / targets, falseAlarmRate: wrongly / nonTargets };
    };
    // a bootstrap walks here thousands of times: points are made at the end only
    for (let i = 0; i < order.length; ) {
      const [hitsBefore, alarmsBefore, thresholdBefore] = [hits, alarms, threshold];
      threshold = scores[order[i]];
      for (; i < order.length && scores[order[i]] === threshold; i++) {
        const weight = weights ? weights[order[i]] : 1;
        if (isTarget[order[i]]) hits += weight;
        else alarms += weight;
      }
      if (alarms / nonTargets >= 1 - hits / targets)
        return [point(thresholdBefore, hitsBefore, alarmsBefore), point(threshold, hits, alarms)];
    }
    return undefined;
  }

  private totals(weights: ArrayLike<number> | undefined): readonly [targets: number, nonTargets: number] {
    if (!weights) return [this.targets, this.nonTargets];
    let [targets, nonTargets] = [0, 0];
    for (const i of this.order) {
      if (this.isTarget[i]) targets += weights[i];
      else nonTargets += weights[i];
    }
    return [targets, nonTargets];
  }
}

/** Percent at which the straight line between two points of a curve has as many misses as false alarms. */
export function rateBetween([a, b]: readonly [DetectionPoint, DetectionPoint]): number {
  const before = a.falseAlarmRate - a.missRate;
  const part = -before / (b.falseAlarmRate - b.missRate - before);
  return 100 * (a.falseAlarmRate + part * (b.falseAlarmRate - a.falseAlarmRate));
}

/** @throws StillwaveError if there are not trials of both kinds, or a score is NaN */
export function equalErrorRate(scores: ArrayLike<number>, isTarget: ArrayLike<boolean>): EqualErrorRate {
  const ranked = new RankedTrials(scores, isTarget);
  const around = ranked.crossing();
  if (!around) throw new StillwaveError("no equal error rate: scores cannot be ordered");
  const gap = ({ missRate, falseAlarmRate }: DetectionPoint) => Math.abs(missRate - falseAlarmRate);
  const [before, after] = around;
  const nearest = gap(before) < gap(after) ? before : after;
  return { eer: rateBetween(around), ...nearest, targets: ranked.targets, nonTargets: ranked.nonTargets };
}

/**
 * The points of the detection error tradeoff by falling threshold, one for every score there is and one above all.
 * @throws StillwaveError as `equalErrorRate`
 */
export const detectionCurve = (scores: ArrayLike<number>, isTarget: ArrayLike<boolean>): DetectionPoint[] => [
  ...new RankedTrials(scores, isTarget).points(),
];

export interface DetectionCosts {
  /** How likely a trial is of one speaker. */
  readonly targetPrior: number;
  readonly missCost: number;
  readonly falseAlarmCost: number;
}

/** Those of the VoxCeleb challenges. */
const VOXCELEB_COSTS: DetectionCosts = { targetPrior: 0.05, missCost: 1, falseAlarmCost: 1 };

/**
 * Least detection cost of any threshold, divided by that of the better of accepting all and accepting nothing (NIST).
 * @throws UsageError for costs that are none
 */
export function minimumDetectionCost(
  curve: readonly DetectionPoint[],
  { targetPrior, missCost, falseAlarmCost }: DetectionCosts = VOXCELEB_COSTS,
): { readonly cost: number; readonly threshold: number } {
  if (!(targetPrior > 0 && targetPrior < 1 && missCost > 0 && falseAlarmCost > 0))
    throw new UsageError("detection costs: expected a prior between 0 and 1 and costs above 0");
  const [miss, alarm] = [missCost * targetPrior, falseAlarmCost * (1 - targetPrior)];
  let best = { cost: Number.POSITIVE_INFINITY, threshold: Number.NaN };
  for (const { threshold, missRate, falseAlarmRate } of curve) {
    const cost = (miss * missRate + alarm * falseAlarmRate) / Math.min(miss, alarm);
    if (cost < best.cost) best = { cost, threshold };
  }
  return best;
}
