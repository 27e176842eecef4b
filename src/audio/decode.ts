// Decodes one audio file of any format that is read, by content, to samples in [-1, 1].
import decodeOther from "audio-decode";
import { StillwaveError } from "../errors.ts";
import { readAudioFile } from "./audio-file.ts";
import { checkedHeader, type DecodedAudio, downmix } from "./decoded.ts";
import { decodeFlac } from "./flac/flac.ts";
import { type AudioFormat, detectFormat, FORMAT_REMEDY } from "./format.ts";
import { checkMp3Length } from "./mp3.ts";
import { flacInsideOgg, OGG_MAX_PAGE_BYTES, parseOggHeader } from "./ogg.ts";
import { decodeWav } from "./wav.ts";

/** Largest file of a lossy format: four hours at 256 kbit/s; decoded, it is many times as large. */
const MAX_LOSSY_BYTES = 2 ** 29;

/** A decoded file: one channel (the mean of all of them), at the file's own rate. */
export interface MonoAudio {
  /** [samples], nominally in [-1, 1]; 16-bit sources are exactly x / 32768 (as libsndfile gives them), 24-bit x / 2^23. */
  readonly samples: Float32Array;
  readonly sampleRateHz: number;
  /** How many channels the file has. */
  readonly channels: number;
}

/**
 * Decodes FLAC, WAV, Ogg (Opus, Vorbis, FLAC), MP3 or M4A from memory. `path` is used in messages only.
 * @throws StillwaveError if it is in another format, truncated, damaged, or holds NaN or infinite samples.
 */
export async function decodeBytes(bytes: Uint8Array, path: string): Promise<MonoAudio> {
  const format = detectFormat(bytes, path);
  return monoOf(await decodeAs(format, bytes, path), path);
}

/**
 * The mean of the channels.
 * @param first which sample of the file they begin with
 * @throws StillwaveError where there are none, or one is no finite number.
 */
export function monoOf({ channelSamples, sampleRateHz }: DecodedAudio, path: string, first = 0): MonoAudio {
  const channels = channelSamples.length;
  if (channels === 0 || channelSamples[0].length === 0) throw new StillwaveError(`${path}: holds no samples`);
  const samples = downmix(channelSamples);
  for (let i = 0; i < samples.length; i++)
    if (!Number.isFinite(samples[i]))
      throw new StillwaveError(`${path}: sample ${first + i} is ${samples[i]}; repair or remove the file`);
  return { samples, sampleRateHz, channels };
}

async function decodeAs(format: AudioFormat, bytes: Uint8Array, path: string): Promise<DecodedAudio> {
  if (format === "wav") return decodeWav(bytes, path);
  if (format === "flac") return decodeFlac(bytes, path);
  if (format === "ogg-flac") return decodeFlac(flacInsideOgg(bytes, path), path);
  return decodeWithLibrary(bytes, format, path);
}

async function decodeWithLibrary(bytes: Uint8Array, format: AudioFormat, path: string): Promise<DecodedAudio> {
  const header = format.startsWith("ogg")
    ? parseOggHeader(format, bytes, bytes.subarray(Math.max(0, bytes.length - OGG_MAX_PAGE_BYTES)), path)
    : undefined;
  if (format === "mp3") checkMp3Length(bytes, path);
  if (bytes.length > MAX_LOSSY_BYTES) {
    throw new StillwaveError(
      `${path}: ${bytes.length} bytes of ${format}; up to ${MAX_LOSSY_BYTES} are decoded at once, cut it first`,
    );
  }
  let decoded: { channelData: Float32Array[]; sampleRate: number };
  try {
    decoded = await decodeOther(bytes);
  } catch (error) {
    throw new StillwaveError(`${path}: damaged ${format} (${(error as Error).message}); ${FORMAT_REMEDY}`);
  }
  const { channelData, sampleRate: sampleRateHz } = decoded;
  const samples = channelData[0]?.length ?? 0;
  if (samples === 0)
    throw new StillwaveError(`${path}: nothing in this ${format} file could be decoded; fetch or convert it again`);
  checkedHeader({ samples, sampleRateHz, channels: channelData.length }, path);
  if (header && samples !== header.samples) {
    throw new StillwaveError(
      `${path}: damaged: its last page says ${header.samples} samples, ${samples} could be decoded; fetch or convert it again`,
    );
  }
  return { channelSamples: channelData, sampleRateHz };
}

/** `decodeBytes` of a file. */
export async function decodeAudio(path: string): Promise<MonoAudio> {
  return decodeBytes(await readAudioFile(path), path);
}
