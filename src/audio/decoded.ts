// What a decoder hands over, and the limits that keep a hostile file from exhausting memory.
import { StillwaveError } from "../errors.ts";

/** Decoded audio, one array of samples in [-1, 1] per channel, all of the same length. */
export interface DecodedAudio {
  readonly channelSamples: readonly Float32Array[];
  readonly sampleRateHz: number;
  /** What the user should know, though the file is read, e.g. that its end may be missing. */
  readonly note?: string;
}

/** What a header says about a file. `samples` is per channel at the file's own rate. */
export interface AudioHeader {
  readonly samples: number;
  readonly sampleRateHz: number;
  readonly channels: number;
  /** As in `DecodedAudio`. */
  readonly note?: string;
}

/** Longest recording that is decoded, in seconds: a compressed file may claim, or hold, absurd amounts of silence. */
const MAX_SECONDS = 4 * 3600;
/** Most samples that are decoded, over all channels: 2 GiB of float32. */
const MAX_VALUES = 2 ** 29;
/** Largest file that is read, in bytes. */
export const MAX_FILE_BYTES = 2 ** 31 - 1;
const MIN_RATE_HZ = 1000;
const MAX_RATE_HZ = 768_000;
const MAX_CHANNELS = 64;

/** @throws StillwaveError if a header's values are impossible or beyond the limits. Returns the header. */
export function checkedHeader(header: AudioHeader, path: string): AudioHeader {
  const { samples, sampleRateHz, channels } = header;
  if (!Number.isInteger(channels) || channels < 1 || channels > MAX_CHANNELS) {
    throw new StillwaveError(`${path}: the header says ${channels} channels; 1 to ${MAX_CHANNELS} are read`);
  }
  if (!Number.isInteger(sampleRateHz) || sampleRateHz < MIN_RATE_HZ || sampleRateHz > MAX_RATE_HZ) {
    throw new StillwaveError(
      `${path}: the header says ${sampleRateHz} Hz; ${MIN_RATE_HZ} to ${MAX_RATE_HZ} Hz are read`,
    );
  }
  if (!(samples <= MAX_SECONDS * sampleRateHz)) {
    const hours = (samples / sampleRateHz / 3600).toFixed(1);
    throw new StillwaveError(
      `${path}: the header says ${hours} hours; recordings up to ${MAX_SECONDS / 3600} hours are read, cut it first`,
    );
  }
  if (samples * channels > MAX_VALUES) {
    throw new StillwaveError(
      `${path}: ${samples} samples on ${channels} channels do not fit in memory; cut or downmix it first`,
    );
  }
  return header;
}

/** Mean of the channels. */
export function downmix(channels: readonly Float32Array[]): Float32Array {
  if (channels.length === 1) return channels[0];
  const mono = new Float32Array(channels[0].length);
  for (let i = 0; i < mono.length; i++) {
    let sum = 0;
    for (const channel of channels) sum += channel[i];
    mono[i] = sum / channels.length;
  }
  return mono;
}
