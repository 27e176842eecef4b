// Decodes one audio file of any format that is read, by content, to samples in [-1, 1].
import decodeOther from "audio-decode";
import { StillwaveError } from "../errors.ts";
import { readAudioFile } from "./audio-file.ts";
import { checkedHeader, type DecodedAudio, downmix } from "./decoded.ts";
import { decodeFlac } from "./flac/flac.ts";
import { type AudioFormat, FORMAT_REMEDY } from "./format.ts";
import { checkMp3Length } from "./mp3.ts";
import { cutToPages } from "./ogg/cut.ts";
import { decodeOpus } from "./ogg/opus.ts";
import { flacOf, isOgg, plainOgg, readOgg } from "./ogg/stream.ts";
import { decodePcm, isPcm } from "./pcm/decode.ts";
import { type FoundAudio, findAudio } from "./tags.ts";

/** Largest file of a lossy format: four hours at 256 kbit/s; decoded, it is many times as large. */
const MAX_LOSSY_BYTES = 2 ** 29;

/** A decoded file: one channel (the mean of all of them), at the file's own rate. */
export interface MonoAudio {
  /** [samples], nominally in [-1, 1]; 16-bit sources are exactly x / 32768 (as libsndfile gives them), 24-bit x / 2^23. */
  readonly samples: Float32Array;
  readonly sampleRateHz: number;
  /** How many channels the file has. */
  readonly channels: number;
  /** What the user should know, though the file is read. */
  readonly note?: string;
}

/**
 * Decodes from memory any of the formats that are read. `path` is used in messages only.
 * @param wantedHz the rate that is wanted in the end: Opus is decoded at it where its decoder can; all else has its own rate
 * @throws StillwaveError if it is in another format, truncated, damaged, or holds NaN or infinite samples.
 */
export async function decodeBytes(bytes: Uint8Array, path: string, wantedHz?: number): Promise<MonoAudio> {
  return monoOf(await decodeAs(findAudio(bytes, path), path, wantedHz), path);
}

/**
 * The mean of the channels.
 * @param first which sample of the file they begin with
 * @throws StillwaveError where there are none, or one is no finite number.
 */
export function monoOf({ channelSamples, sampleRateHz, note }: DecodedAudio, path: string, first = 0): MonoAudio {
  const channels = channelSamples.length;
  if (channels === 0 || channelSamples[0].length === 0) throw new StillwaveError(`${path}: holds no samples`);
  const samples = downmix(channelSamples);
  for (let i = 0; i < samples.length; i++)
    if (!Number.isFinite(samples[i]))
      throw new StillwaveError(`${path}: sample ${first + i} is ${samples[i]}; repair or remove the file`);
  return { samples, sampleRateHz, channels, note };
}

async function decodeAs(found: FoundAudio, path: string, wantedHz?: number): Promise<DecodedAudio> {
  const { format, audio, tagBytesBehind } = found;
  if (isPcm(format)) return decodePcm(format, audio, path);
  if (format === "flac") return decodeFlac(audio, path);
  if (format === "ogg-opus") return decodeOpus(readOgg(format, audio, path), path, wantedHz);
  if (isOgg(format)) return decodeOgg(format, audio, path);
  if (format === "mp3") checkMp3Length(audio, tagBytesBehind, path);
  return decodeWithLibrary(audio, format, path);
}

/** Decodes all packets of the stream at once: one piece. */
async function decodeOgg(format: "ogg-vorbis" | "ogg-flac", bytes: Uint8Array, path: string): Promise<DecodedAudio> {
  const stream = readOgg(format, bytes, path);
  const whole =
    format === "ogg-flac" ? decodeFlac(flacOf(stream), path) : await decodeWithLibrary(plainOgg(stream), format, path);
  const cut: DecodedAudio[] = [];
  for await (const piece of cutToPages([whole], stream, path)) cut.push(piece);
  return cut[0] ?? { ...whole, channelSamples: [] };
}

async function decodeWithLibrary(bytes: Uint8Array, format: AudioFormat, path: string): Promise<DecodedAudio> {
  checkLossySize(bytes, format, path);
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
  return { channelSamples: channelData, sampleRateHz };
}

/** @throws StillwaveError for more compressed bytes than a recording of some hours has */
export function checkLossySize({ length }: Uint8Array, format: AudioFormat, path: string): void {
  if (length > MAX_LOSSY_BYTES)
    throw new StillwaveError(
      `${path}: ${length} bytes of ${format}; up to ${MAX_LOSSY_BYTES} are decoded at once, cut it first`,
    );
}

/** `decodeBytes` of a file. */
export async function decodeAudio(path: string, wantedHz?: number): Promise<MonoAudio> {
  return decodeBytes(await readAudioFile(path), path, wantedHz);
}
