// Where symbols are most probable within their frames, in their order.

/**
 * The largest sum of log probabilities that `symbols` reach in frames of [startFrame, endFrame), each in a frame of its own
 * and in their order; -Infinity where there are fewer frames than symbols.
 * @param emissions log probabilities, [frames, vocab]
 */
export function alignSymbols(
  emissions: ArrayLike<number>,
  vocab: number,
  symbols: readonly number[],
  { startFrame, endFrame }: { readonly startFrame: number; readonly endFrame: number },
): number {
  /** best[i]: of the first i symbols, in the frames so far. */
  const best = new Float64Array(symbols.length + 1).fill(Number.NEGATIVE_INFINITY);
  best[0] = 0;
  for (let frame = startFrame; frame < endFrame; frame++)
    for (let i = symbols.length; i > 0; i--)
      best[i] = Math.max(best[i], best[i - 1] + emissions[frame * vocab + symbols[i - 1]]);
  return best[symbols.length];
}
