// Decodes a part of a recording without the rest where the format allows: uncompressed samples by their bytes, FLAC by its frames.
import { StillwaveError, UsageError } from "../errors.ts";
import { type AudioFile, readAudioFile, withAudioFile } from "./audio-file.ts";
import { decodeBytes, type MonoAudio, monoOf } from "./decode.ts";
import type { AudioHeader, DecodedAudio } from "./decoded.ts";
import { FlacSegments } from "./flac/seek.ts";
import { beginning, readLayout } from "./header.ts";
import { isPcm } from "./pcm/decode.ts";
import { bytesPerFrame, convertSamples, type PcmLayout } from "./pcm/samples.ts";
import { checkInside, type Segment, segmentAt } from "./segment.ts";

/**
 * Decodes a part of a file. Of Ogg, MP3, AAC and M4A files the whole is decoded.
 * @param wantedHz as `decodeBytes` takes it
 * @throws UsageError for a segment that is none, StillwaveError if it is not inside the recording or cannot be read.
 */
export async function decodeSegment(path: string, segment: Segment, wantedHz?: number): Promise<MonoAudio> {
  const { start, samples, sampleRateHz } = segment;
  if (!(Number.isSafeInteger(start) && start >= 0 && Number.isSafeInteger(samples) && samples > 0))
    throw new UsageError(`${path}: no segment: ${samples} samples from ${start} on; give whole numbers, not negative`);
  const decoded = await withAudioFile(path, async (file) => (await openParts(file))?.read(segment));
  if (!decoded) return cut(await decodeBytes(await readAudioFile(path), path, wantedHz), segment, path);
  if (decoded.sampleRateHz !== sampleRateHz) throw otherRate(decoded.sampleRateHz, segment, path);
  return monoOf(decoded, path, start);
}

/** A file of which parts can be read: where its samples are is known, and need not be looked for again. */
export interface AudioParts {
  readonly header: AudioHeader;
  /**
   * Undefined where only decoding the whole file would tell.
   * @throws StillwaveError if the segment is not inside the recording
   */
  read(segment: Segment): Promise<DecodedAudio | undefined>;
}

/** @returns undefined for formats that are decoded from their start. */
export async function openParts(file: AudioFile): Promise<AudioParts | undefined> {
  const begun = await beginning(file);
  if (!begun) return undefined;
  const { format, audio, head } = begun;
  if (isPcm(format)) {
    const layout = await readLayout(format, audio);
    return { header: layout, read: (segment) => readPcmSegment(audio, layout, segment) };
  }
  if (format !== "flac") return undefined;
  const reader = await FlacSegments.open(audio, head);
  return reader && { header: reader.header, read: (segment) => reader.read(segment) };
}

async function readPcmSegment(file: AudioFile, layout: PcmLayout, segment: Segment): Promise<DecodedAudio> {
  checkInside(segment, layout.samples, file.path);
  const frameBytes = bytesPerFrame(layout);
  const count = segment.samples * frameBytes;
  const bytes = await file.read(layout.dataOffset + segment.start * frameBytes, count);
  if (bytes.length < count) throw new StillwaveError(`${file.path}: became shorter while it was read`);
  return convertSamples(bytes, { ...layout, dataOffset: 0, samples: segment.samples });
}

/** The segment of a whole recording, which a decoder may have given at another rate than its header's. */
function cut(whole: MonoAudio, segment: Segment, path: string): MonoAudio {
  const { sampleRateHz: rate } = whole;
  const wanted = segmentAt(segment, rate);
  const { start, samples } = wanted;
  const spare = rate === segment.sampleRateHz ? 0 : 1;
  if (start + samples > whole.samples.length + spare) checkInside(wanted, whole.samples.length, path);
  const part = new Float32Array(samples);
  part.set(whole.samples.subarray(start, start + samples));
  return { ...whole, samples: part };
}

function otherRate(rate: number, segment: Segment, path: string): StillwaveError {
  return new StillwaveError(
    `${path}: its segment counts samples at ${segment.sampleRateHz} Hz, the file has ${rate} Hz`,
  );
}
