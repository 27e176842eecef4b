// CTC forward-backward in log space: slow, and never underflows.
import { type CtcItem, type CtcWorkspace, writeGradient } from "./ctc-item.ts";
import { logAdd } from "./emissions.ts";

const IMPOSSIBLE = Number.NEGATIVE_INFINITY;

/** Loss of one item (Infinity if no alignment has a probability above 0); writes its gradient unless infinite. */
export function forwardBackwardLog(item: CtcItem, work: CtcWorkspace): number {
  const { frames, vocab, states, offset, logits } = item;
  const { alpha, symbols, skips, logNormalizers } = work;
  const emit = (t: number, s: number) => logits[offset + t * vocab + symbols[s]] - logNormalizers[t];

  alpha.fill(IMPOSSIBLE, 0, states);
  alpha[0] = emit(0, 0);
  if (states > 1) alpha[1] = emit(0, 1);
  for (let t = 1; t < frames; t++) {
    const now = t * states;
    const before = now - states;
    for (let s = 0; s < states; s++) {
      let sum = alpha[before + s];
      if (s > 0) sum = logAdd(sum, alpha[before + s - 1]);
      if (skips[s] === 1) sum = logAdd(sum, alpha[before + s - 2]);
      alpha[now + s] = sum + emit(t, s);
    }
  }
  const last = (frames - 1) * states;
  const logProbability =
    states > 1 ? logAdd(alpha[last + states - 1], alpha[last + states - 2]) : alpha[last + states - 1];
  if (logProbability === IMPOSSIBLE) return Number.POSITIVE_INFINITY;
  backward(item, work, logProbability, emit);
  return -logProbability;
}

/** Backward variables leave out the frame's own emission, so that alpha + beta is the log probability of all paths there. */
function backward(
  item: CtcItem,
  work: CtcWorkspace,
  logProbability: number,
  emit: (t: number, s: number) => number,
): void {
  const { frames, vocab, states } = item;
  const { alpha, symbols, skips, occupancy } = work;
  let now = work.betaNow;
  let next = work.betaNext;
  for (let t = frames - 1; t >= 0; t--) {
    occupancy.fill(0, 0, vocab);
    for (let s = 0; s < states; s++) {
      if (t === frames - 1) now[s] = s >= states - 2 ? 0 : IMPOSSIBLE;
      else {
        let sum = next[s];
        if (s + 1 < states) sum = logAdd(sum, next[s + 1]);
        if (s + 2 < states && skips[s + 2] === 1) sum = logAdd(sum, next[s + 2]);
        now[s] = sum;
      }
      occupancy[symbols[s]] += Math.exp(alpha[t * states + s] + now[s] - logProbability);
    }
    writeGradient(item, work, t);
    for (let s = 0; s < states; s++) now[s] += emit(t, s);
    [now, next] = [next, now];
  }
}
