// Recordings as they are read: whole files, parts of them, and what is made of them.
import { loadAudio, type Segment, trimSilence } from "../audio/index.ts";
import { checkInside } from "../audio/segment.ts";
import { type Making, nameOf, type RecordingPart } from "./recording.ts";

/**
 * A recording as 16 kHz mono, [samples].
 * @throws StillwaveError naming the file if it cannot be read, or does not hold the segment
 */
export async function loadRecording(recording: RecordingPart): Promise<Float32Array> {
  const { path, segment, making } = recording;
  if (making?.kind === "mixed") return cut(await mixed(path, making), segment, nameOf(recording));
  const wave = await loadAudio(path, segment);
  return making ? trimSilence(wave) : wave;
}

/** As long as the longest, sums of floats rounded once. */
async function mixed(path: string, { gain, others }: Extract<Making, { kind: "mixed" }>): Promise<Float32Array> {
  const parts = await Promise.all(
    [{ path, gain }, ...others].map(async (part) => ({ gain: part.gain, wave: await loadAudio(part.path) })),
  );
  const samples = Math.max(...parts.map(({ wave }) => wave.length));
  return Float32Array.from({ length: samples }, (_, i) =>
    parts.reduce((sum, part) => sum + part.gain * (part.wave[i] ?? 0), 0),
  );
}

function cut(wave: Float32Array, segment: Segment | undefined, name: string): Float32Array {
  if (!segment) return wave;
  checkInside(segment, wave.length, name);
  return wave.slice(segment.start, segment.start + segment.samples);
}
