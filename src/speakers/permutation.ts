// Who speaks when, whatever the order of speakers: the loss of the best assignment, and what the frames of it agree in.

/** Speakers of a recording, and columns of logits and labels. */
export const DIARIZED_SPEAKERS = 2;

/** -log of the probability that a logit gives a label of 0 or 1. */
const crossEntropy = (logit: number, label: number): number =>
  Math.max(logit, 0) - logit * label + Math.log1p(Math.exp(-Math.abs(logit)));

const sigmoid = (logit: number): number => 1 / (1 + Math.exp(-logit));

/** Frames of one recording: logits and labels [frames, 2]. */
export interface SpokenFrames {
  readonly logits: Float32Array;
  readonly labels: ArrayLike<number>;
  readonly frames: number;
}

/** Summed over frames, mean over columns, the labels' columns exchanged or not. */
function lossOf({ logits, labels, frames }: SpokenFrames, isExchanged: boolean): number {
  let sum = 0;
  for (let i = 0; i < 2 * frames; i++) sum += crossEntropy(logits[i], labels[isExchanged ? i ^ 1 : i]);
  return sum / DIARIZED_SPEAKERS;
}

/** Whether the loss is smaller with the labels' columns exchanged; of equals they stay. */
const isExchangedBest = (frames: SpokenFrames): boolean => lossOf(frames, true) < lossOf(frames, false);

/**
 * Permutation-invariant binary cross entropy (Yu et al., arXiv:1607.00325): for each recording the smaller of its two losses,
 * their sum divided by all frames. Writes the gradient with respect to the logits.
 * @param gradients one for every recording, in the shape of its logits
 */
export function permutationLoss(recordings: readonly SpokenFrames[], gradients: readonly Float32Array[]): number {
  const all = recordings.reduce((sum, { frames }) => sum + frames, 0);
  let loss = 0;
  for (const [i, recording] of recordings.entries()) {
    const { logits, labels, frames } = recording;
    const isExchanged = isExchangedBest(recording);
    loss += lossOf(recording, isExchanged) / all;
    for (let k = 0; k < 2 * frames; k++)
      gradients[i][k] = (sigmoid(logits[k]) - labels[isExchanged ? k ^ 1 : k]) / (DIARIZED_SPEAKERS * all);
  }
  return loss;
}

/** Counts of frames, for the better assignment of the two; a frame in which two speak counts twice. */
export interface FrameErrors {
  /** Columns of frames that agree, divided by the columns. */
  readonly correct: number;
  readonly frames: number;
  readonly spoken: number;
  readonly missed: number;
  readonly falseAlarms: number;
  readonly confused: number;
}

/** Frame errors where a logit above 0 is speech. */
export function frameErrors(recording: SpokenFrames): FrameErrors {
  const { logits, labels, frames } = recording;
  const exchange = isExchangedBest(recording) ? 1 : 0;
  const counts = { correct: 0, frames, spoken: 0, missed: 0, falseAlarms: 0, confused: 0 };
  for (let t = 0; t < frames; t++) {
    let [spoken, said, right] = [0, 0, 0];
    for (const i of [2 * t, 2 * t + 1]) {
      const [is, isSaid] = [labels[i ^ exchange] === 1, logits[i] > 0];
      spoken += Number(is);
      said += Number(isSaid);
      right += Number(is && isSaid);
      counts.correct += Number(is === isSaid) / DIARIZED_SPEAKERS;
    }
    counts.spoken += spoken;
    counts.missed += Math.max(0, spoken - said);
    counts.falseAlarms += Math.max(0, said - spoken);
    counts.confused += Math.min(spoken, said) - right;
  }
  return counts;
}
