// Probabilities of speech as turns: a threshold, a median filter, stretches of frames.
import type { SpeakerTurn } from "../metrics/der.ts";

const RATE_HZ = 16_000;

export interface TurnOptions {
  /** Speech is more probable than this. */
  readonly threshold: number;
  /** Frames, an odd number, that a vote is taken over; 1: none is. */
  readonly median: number;
  readonly samplesPerFrame: number;
}

/** Where a window of frames, zeros beyond the ends, holds more ones than zeros. */
export function medianFiltered(active: Uint8Array, window: number): Uint8Array {
  const half = (window - 1) / 2;
  const filtered = new Uint8Array(active.length);
  let ones = 0;
  for (let t = 0; t < half && t < active.length; t++) ones += active[t];
  for (let t = 0; t < active.length; t++) {
    ones += active[t + half] ?? 0;
    ones -= active[t - half - 1] ?? 0;
    filtered[t] = Number(ones > half);
  }
  return filtered;
}

/**
 * Turns of a recording, speaker by speaker, named `<recording>_<column>`.
 * @param probabilities [frames, speakers]
 */
export function turnsOf(
  recording: string,
  probabilities: ArrayLike<number>,
  speakers: number,
  { threshold, median, samplesPerFrame }: TurnOptions,
): SpeakerTurn[] {
  const frames = probabilities.length / speakers;
  const secondsAt = (frame: number) => (frame * samplesPerFrame) / RATE_HZ;
  const turns: SpeakerTurn[] = [];
  for (let column = 0; column < speakers; column++) {
    const active = Uint8Array.from({ length: frames }, (_, t) =>
      Number(probabilities[t * speakers + column] > threshold),
    );
    const voted = medianFiltered(active, median);
    let start = -1;
    for (let t = 0; t <= frames; t++) {
      const isActive = t < frames && voted[t] === 1;
      if (isActive && start < 0) start = t;
      if (isActive || start < 0) continue;
      turns.push({ speaker: `${recording}_${column}`, startSeconds: secondsAt(start), endSeconds: secondsAt(t) });
      start = -1;
    }
  }
  return turns;
}
