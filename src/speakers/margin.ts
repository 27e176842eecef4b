// The additive margin softmax loss of cosines between voices and speakers (Wang et al., arXiv:1801.05599).

export interface Margin {
  /** What cosines are multiplied by. */
  readonly scale: number;
  /** What the cosine with the right speaker is lessened by before. */
  readonly margin: number;
}

/** The benchmark's. */
export const AM_SOFTMAX: Margin = { scale: 30, margin: 0.4 };

/**
 * Mean cross entropy of cosines [items, speakers], and its gradient with respect to them.
 * @param speakers the right one of each item
 */
export function marginSoftmax(
  cosines: Float32Array,
  speakers: readonly number[],
  { scale, margin }: Margin = AM_SOFTMAX,
): { readonly loss: number; readonly cotangent: Float32Array<ArrayBuffer> } {
  const items = speakers.length;
  const classes = cosines.length / items;
  const cotangent = new Float32Array(cosines.length);
  let loss = 0;
  for (const [item, right] of speakers.entries()) {
    const row = cosines.subarray(item * classes, (item + 1) * classes);
    const logitOf = (speaker: number) => scale * (row[speaker] - (speaker === right ? margin : 0));
    let most = Number.NEGATIVE_INFINITY;
    for (let i = 0; i < classes; i++) most = Math.max(most, logitOf(i));
    let sum = 0;
    for (let i = 0; i < classes; i++) sum += Math.exp(logitOf(i) - most);
    const normalizer = most + Math.log(sum);
    loss += (normalizer - logitOf(right)) / items;
    for (let i = 0; i < classes; i++)
      cotangent[item * classes + i] = (scale / items) * (Math.exp(logitOf(i) - normalizer) - (i === right ? 1 : 0));
  }
  return { loss, cotangent };
}
