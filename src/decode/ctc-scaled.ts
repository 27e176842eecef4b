// CTC forward-backward on probabilities with one scale per frame: a few multiplications a state, no logarithms.
import { type CtcItem, type CtcWorkspace, writeGradient } from "./ctc-item.ts";

/** Smaller entries of a row, whose largest is about 1, are taken for 0: numbers close to underflow are slow to multiply. */
const SMALLEST_ENTRY = 1e-200;
/**
 * Smallest overlap of the scaled forward and backward rows that is trusted. What was taken for 0 in one row is worth at
 * most states x frames x SMALLEST_ENTRY x the other row's maximum (about 1), and must stay 1e-16 below the overlap.
 */
const SMALLEST_OVERLAP = 1e-172;

/** Loss of one item, its gradient written; undefined where underflow might matter: the caller then uses log space. */
export function forwardBackwardScaled(item: CtcItem, work: CtcWorkspace): number | undefined {
  const logProbability = forward(item, work);
  if (logProbability === undefined || !backward(item, work)) return undefined;
  // rounding may take the probability above 1 where the alignments make up all of it
  return Math.max(-logProbability, 0);
}

function forward({ frames, vocab, states, blank }: CtcItem, work: CtcWorkspace): number | undefined {
  const { alpha, symbols, skips, probabilities } = work;
  alpha.fill(0, 0, states);
  alpha[0] = probabilities[blank];
  if (states > 1) alpha[1] = probabilities[symbols[1]];
  let max = Math.max(alpha[0], states > 1 ? alpha[1] : 0);
  let logScale = 0;
  for (let t = 1; t < frames; t++) {
    if (!(max > 0)) return undefined;
    logScale += Math.log(max);
    const inverse = 1 / max;
    const now = t * states;
    const row = t * vocab;
    const blankFactor = probabilities[row + blank] * inverse;
    let before = now - states;
    let twoBack = 0;
    let oneBack = alpha[before];
    max = alpha[now] = oneBack * blankFactor;
    for (let s = 1; s < states; s += 2) {
      before = now - states + s;
      const same = alpha[before];
      let label = (same + oneBack + skips[s] * twoBack) * (probabilities[row + symbols[s]] * inverse);
      if (label < SMALLEST_ENTRY) label = 0;
      alpha[now + s] = label;
      if (label > max) max = label;
      oneBack = alpha[before + 1];
      let rest = (oneBack + same) * blankFactor;
      if (rest < SMALLEST_ENTRY) rest = 0;
      alpha[now + s + 1] = rest;
      if (rest > max) max = rest;
      twoBack = same;
    }
  }
  const end = frames * states - 1;
  const sum = alpha[end] + (states > 1 ? alpha[end - 1] : 0);
  return sum > SMALLEST_OVERLAP ? Math.log(sum) + logScale : undefined;
}

/** Writes the gradient, last frame first; false where the rows hardly overlap. */
function backward(item: CtcItem, work: CtcWorkspace): boolean {
  const { frames, vocab, states, blank } = item;
  const { alpha, symbols, skips, probabilities, occupancy } = work;
  // beta x emission of the frame after, updated in place: a state looks at itself and those above it only
  const row = work.betaNow;
  row.fill(0, 0, states + 2);
  // the two final states lead to one state past the last frame
  row[states] = 1;
  skips[states] = 1;
  let scale = 1;
  for (let t = frames - 1; t >= 0; t--) {
    const at = t * states;
    const emissions = t * vocab;
    const blankFactor = probabilities[emissions + blank] * scale;
    let max = 0;
    let labels = 0;
    let blanks = 0;
    occupancy.fill(0, 0, vocab);
    let here = row[0];
    let above = row[1];
    for (let s = 0; s < states; s += 2) {
      const beta = here + above;
      blanks += alpha[at + s] * beta;
      let kept = beta * blankFactor;
      if (kept < SMALLEST_ENTRY) kept = 0;
      row[s] = kept;
      if (kept > max) max = kept;
      if (s + 1 === states) break;
      here = row[s + 2];
      const labelBeta = above + here + skips[s + 3] * row[s + 3];
      above = row[s + 3];
      const symbol = symbols[s + 1];
      const count = alpha[at + s + 1] * labelBeta;
      occupancy[symbol] += count;
      labels += count;
      let keptLabel = labelBeta * (probabilities[emissions + symbol] * scale);
      if (keptLabel < SMALLEST_ENTRY) keptLabel = 0;
      row[s + 1] = keptLabel;
      if (keptLabel > max) max = keptLabel;
    }
    row[states] = 0;
    const overlap = blanks + labels;
    if (!(overlap > SMALLEST_OVERLAP)) return false;
    occupancy[blank] = blanks;
    const inverseOverlap = 1 / overlap;
    for (let v = 0; v < vocab; v++) occupancy[v] *= inverseOverlap;
    writeGradient(item, work, t);
    if (!(max > 0)) return false;
    scale = 1 / max;
  }
  return true;
}
