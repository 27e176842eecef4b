// What training needs of a file: its samples at 16 kHz, and how many there are without decoding it where that is possible.
import { StillwaveError } from "../errors.ts";
import { SAMPLE_RATE_HZ } from "../models/config.ts";
import { readAudioFile, withAudioFile } from "./audio-file.ts";
import { decodeAudio } from "./decode.ts";
import type { AudioHeader } from "./decoded.ts";
import { parseFlacHeader } from "./flac/flac.ts";
import { detectFormat, id3Length } from "./format.ts";
import { OGG_MAX_PAGE_BYTES, parseOggHeader } from "./ogg.ts";
import { decodeSegment } from "./read-segment.ts";
import type { Segment } from "./segment.ts";
import { resample, resampledLength } from "./signal/resample.ts";
import { parseWavHeader } from "./wav-header.ts";

/** Fewest samples from which the usual conv front end (receptive field 400 samples) makes one frame. */
export const MIN_SAMPLES = 400;

/** What `probeAudio` found. */
export interface AudioProbe {
  /** Samples that `loadAudio` will return. */
  readonly samples16k: number;
  /** At the file's own rate. */
  readonly samples: number;
  readonly sampleRateHz: number;
  readonly channels: number;
}

/**
 * One file, or a segment of it, as 16 kHz mono, [samples]: channels averaged, resampled where the rate differs.
 * @throws StillwaveError naming the file if it cannot be read, or does not hold the segment.
 */
export async function loadAudio(path: string, segment?: Segment): Promise<Float32Array> {
  const { samples, sampleRateHz } = await (segment ? decodeSegment(path, segment) : decodeAudio(path));
  if (sampleRateHz === SAMPLE_RATE_HZ) return samples;
  let wave: Float32Array;
  try {
    wave = resample(samples, sampleRateHz, SAMPLE_RATE_HZ);
  } catch (error) {
    throw error instanceof StillwaveError ? new StillwaveError(`${path}: ${error.message}`) : error;
  }
  // sums of huge float samples may leave the range of float32
  const overflow = wave.findIndex((x) => !Number.isFinite(x));
  if (overflow >= 0) throw new StillwaveError(`${path}: samples too large to resample; repair or remove the file`);
  return wave;
}

/**
 * Length, rate and channels of a file: from its header (FLAC, WAV) or first and last page (Ogg), by decoding it otherwise.
 * @throws StillwaveError naming the file if its header is damaged, or truncation is visible from it.
 */
export async function probeAudio(path: string): Promise<AudioProbe> {
  return (await probeHeader(path)) ?? (await probeByDecoding(path));
}

/** `probeAudio` from the header alone; undefined where only decoding would tell. */
export async function probeHeader(path: string): Promise<AudioProbe | undefined> {
  const header = await readHeader(path);
  return header && asProbe(header);
}

/** `probeAudio` by decoding the file. */
export async function probeByDecoding(path: string): Promise<AudioProbe> {
  const { samples, sampleRateHz, channels } = await decodeAudio(path);
  return asProbe({ samples: samples.length, sampleRateHz, channels });
}

/** The lengths that follow from a header. */
export function asProbe({ samples, sampleRateHz, channels }: AudioHeader): AudioProbe {
  return { samples16k: resampledLength(samples, sampleRateHz, SAMPLE_RATE_HZ), samples, sampleRateHz, channels };
}

function readHeader(path: string): Promise<AudioHeader | undefined> {
  return withAudioFile(path, async ({ bytes, read }) => {
    const head = await read(0, 4096);
    const tag = id3Length(head);
    // a FLAC file behind a long ID3 tag: look past the tag to tell it from MP3
    if (tag > 0 && tag + 42 > head.length) return undefined;
    const format = detectFormat(head, path);
    // their headers do not say the length reliably
    if (format === "mp3" || format === "mp4") return undefined;
    if (format === "wav")
      return parseWavHeader(head, bytes, path) ?? parseWavHeader(await readAudioFile(path), bytes, path);
    if (format === "flac") {
      const header = parseFlacHeader(head, path);
      return header.samples > 0 ? header : undefined;
    }
    const tail = await read(Math.max(0, bytes - OGG_MAX_PAGE_BYTES), OGG_MAX_PAGE_BYTES);
    return parseOggHeader(format, head, tail, path);
  });
}
