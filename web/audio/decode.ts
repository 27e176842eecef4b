// Files to the audio that models want: 16 kHz mono, decoded by the browser at their own rate, resampled as in training.
import { resample } from "../../src/audio/signal/resample.ts";
import { rateOf } from "./rate.ts";

export const SAMPLE_RATE_HZ = 16_000;
/** Longest audio that is taken: a page is for a look, the command for the rest. */
export const MAX_SECONDS = 60;
/** Fewest samples that give one frame. */
const MIN_SAMPLES = 400;
/** Files above this are not even read: a minute of the largest usual format has a tenth of it. */
const MAX_BYTES = 300e6;

export interface Recording {
  /** What is played, shown and recognised: 16 kHz mono. */
  readonly wave: Float32Array;
  readonly name: string;
  /** Whether the end was left out. */
  readonly isCut: boolean;
}

/**
 * Decodes any format that the browser knows; channels are averaged.
 * @throws Error with one sentence for what is no audio, empty, huge, too short or not finite
 */
export async function decodeFile(file: File): Promise<Recording> {
  const { name, size } = file;
  if (size === 0) throw new Error(`${name} is empty.`);
  if (size > MAX_BYTES)
    throw new Error(`${name} has ${(size / 1e6).toFixed(0)} MB, and this page reads at most ${MAX_BYTES / 1e6} MB.`);
  const bytes = await file.arrayBuffer().catch(() => {
    throw new Error(`${name} cannot be read: it is a folder, or it has changed or gone.`);
  });
  return { ...(await decodeBytes(bytes, name)), name };
}

async function decodeBytes(bytes: ArrayBuffer, name: string): Promise<Omit<Recording, "name">> {
  // a context resamples what it decodes to its own rate, unless that is the file's
  const context = new OfflineAudioContext(1, 1, rateOf(new Uint8Array(bytes)));
  const buffer = await context.decodeAudioData(bytes).catch(() => {
    throw new Error(`${name} is no audio that this browser can decode; WAV, FLAC, MP3, M4A and Ogg usually are.`);
  });
  const kept = Math.min(buffer.length, MAX_SECONDS * buffer.sampleRate);
  const mono = new Float32Array(kept);
  for (let channel = 0; channel < buffer.numberOfChannels; channel++) {
    const samples = buffer.getChannelData(channel);
    for (let i = 0; i < kept; i++) mono[i] += samples[i] / buffer.numberOfChannels;
  }
  if (!mono.every(Number.isFinite)) throw new Error(`${name} holds samples that are not finite numbers.`);
  const wave = resample(mono, buffer.sampleRate, SAMPLE_RATE_HZ);
  if (wave.length < MIN_SAMPLES)
    throw new Error(`${name} lasts ${((1000 * wave.length) / SAMPLE_RATE_HZ).toFixed(1)} ms, and 25 ms are needed.`);
  return { wave, isCut: kept < buffer.length };
}

/** A 16-bit WAV file of 16 kHz mono audio, for the browser's own player. */
export function wavOf(wave: Float32Array): Blob {
  const header = new DataView(new ArrayBuffer(44));
  const text = (at: number, value: string) => {
    for (let i = 0; i < value.length; i++) header.setUint8(at + i, value.charCodeAt(i));
  };
  text(0, "RIFF");
  header.setUint32(4, 36 + 2 * wave.length, true);
  text(8, "WAVEfmt ");
  header.setUint32(16, 16, true);
  header.setUint16(20, 1, true);
  header.setUint16(22, 1, true);
  header.setUint32(24, SAMPLE_RATE_HZ, true);
  header.setUint32(28, 2 * SAMPLE_RATE_HZ, true);
  header.setUint16(32, 2, true);
  header.setUint16(34, 16, true);
  text(36, "data");
  header.setUint32(40, 2 * wave.length, true);
  const samples = Int16Array.from(wave, (value) => Math.max(-32768, Math.min(32767, Math.round(32768 * value))));
  return new Blob([header.buffer, samples], { type: "audio/wav" });
}
