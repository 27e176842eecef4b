// Turns of speakers as labels of frames, and recordings cut into chunks that a head is trained on.
import type { SpeakerTurn } from "../metrics/der.ts";

const RATE_HZ = 16_000;

/** Frames [start, end) of a recording. */
export interface Chunk {
  readonly start: number;
  readonly end: number;
}

export interface LabelOptions {
  /** Samples at 16 kHz from one frame to the next. */
  readonly samplesPerFrame: number;
  /**
   * Leaves a turn out of a chunk that neither its first nor its last frame lies in, as the benchmark's code does by mistake:
   * one that speaks all through a chunk, or runs on past the recording's last frame.
   */
  readonly losesTurns?: boolean;
}

/** Frames of a recording: whole ones, of its length as it is written down. */
export const labelFrames = (seconds: number, samplesPerFrame: number): number =>
  Math.trunc((seconds * RATE_HZ) / samplesPerFrame);

/** The frame that a time is nearest to, halves to even. */
export function frameAt(seconds: number, samplesPerFrame: number): number {
  const place = (seconds * RATE_HZ) / samplesPerFrame;
  const below = Math.floor(place);
  if (place - below === 0.5) return below + (below % 2);
  return Math.round(place);
}

/** A recording of `frames` in chunks of so many, the last one of what is left. */
export const chunksOf = (frames: number, chunkFrames: number): Chunk[] =>
  Array.from({ length: Math.ceil(frames / chunkFrames) }, (_, i) => ({
    start: i * chunkFrames,
    end: Math.min(frames, (i + 1) * chunkFrames),
  }));

/**
 * Labels of a chunk's frames: [frames, speakers], 1 where a speaker talks.
 * @param speakers in the order of the columns
 */
export function labelsOf(
  turns: readonly SpeakerTurn[],
  speakers: readonly string[],
  { start, end }: Chunk,
  { samplesPerFrame, losesTurns = false }: LabelOptions,
): Uint8Array {
  const labels = new Uint8Array((end - start) * speakers.length);
  for (const { speaker, startSeconds, endSeconds } of turns) {
    const column = speakers.indexOf(speaker);
    const [first, last] = [startSeconds, endSeconds].map((seconds) => frameAt(seconds, samplesPerFrame));
    const beginsInside = start <= first && first < end;
    const endsInside = start < last && last <= end;
    if (losesTurns && !beginsInside && !endsInside) continue;
    for (let frame = Math.max(start, first); frame < Math.min(end, last); frame++)
      labels[(frame - start) * speakers.length + column] = 1;
  }
  return labels;
}
