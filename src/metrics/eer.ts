// Equal error rate of a speaker verification trial list, by linear interpolation of the ROC curve.
// Ours because the interpolation decides the last digit, and benchmarks fix it.
import { StillwaveError } from "../errors.ts";

export interface EqualErrorRate {
  /** In percent. */
  readonly eer: number;
  /** Score at which false alarms and misses are equally frequent, interpolated like the curve. */
  readonly threshold: number;
  readonly targets: number;
  readonly nonTargets: number;
}

/**
 * @param scores larger means more alike
 * @param isTarget true where both recordings are of one speaker
 * @throws StillwaveError if there are not trials of both kinds, or a score is NaN.
 */
export function equalErrorRate(scores: ArrayLike<number>, isTarget: ArrayLike<boolean>): EqualErrorRate {
  const count = scores.length;
  if (count !== isTarget.length) throw new StillwaveError(`${count} scores for ${isTarget.length} trials`);
  const order = Int32Array.from({ length: count }, (_, i) => i).sort((a, b) => scores[b] - scores[a]);
  let targets = 0;
  for (let i = 0; i < count; i++) {
    if (Number.isNaN(scores[i])) throw new StillwaveError(`trial ${i} has the score NaN`);
    if (isTarget[i]) targets++;
  }
  const nonTargets = count - targets;
  if (targets === 0 || nonTargets === 0) {
    throw new StillwaveError(
      `no equal error rate of ${targets} target and ${nonTargets} other trials; both are needed`,
    );
  }
  let [hits, alarms] = [0, 0];
  let [hitRate, alarmRate, threshold] = [0, 0, scores[order[0]]];
  for (let i = 0; i < count; ) {
    const score = scores[order[i]];
    // trials of one score are accepted together
    for (; i < count && scores[order[i]] === score; i++) isTarget[order[i]] ? hits++ : alarms++;
    const [nextHits, nextAlarms] = [hits / targets, alarms / nonTargets];
    // alarms + hits - 1 grows from -1 to 1 along the curve; it is 0 where alarms equal misses
    const before = hitRate + alarmRate - 1;
    const after = nextHits + nextAlarms - 1;
    if (after >= 0) {
      const part = -before / (after - before);
      const eer = 100 * (alarmRate + part * (nextAlarms - alarmRate));
      return { eer, threshold: threshold + part * (score - threshold), targets, nonTargets };
    }
    [hitRate, alarmRate, threshold] = [nextHits, nextAlarms, score];
  }
  throw new StillwaveError("no equal error rate: scores cannot be ordered");
}
