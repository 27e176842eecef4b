// Decodes a file piece by piece, at its own rate: what `decodeAudio` gives, without room for all of it.
import decodeOther from "audio-decode";
import { StillwaveError } from "../errors.ts";
import { openAudioFile, readAudioFile } from "./audio-file.ts";
import { checkLossySize } from "./decode.ts";
import { checkedHeader, type DecodedAudio } from "./decoded.ts";
import { flacBlocks, parseFlacHeader } from "./flac/flac.ts";
import { type AudioFormat, FORMAT_REMEDY } from "./format.ts";
import { checkMp3Length } from "./mp3.ts";
import { cutToPages } from "./ogg/cut.ts";
import { opusPieces } from "./ogg/opus.ts";
import { flacOf, isOgg, plainOgg, readOgg } from "./ogg/stream.ts";
import { type AudioParts, decodeSegment, openParts } from "./read-segment.ts";
import { findAudio } from "./tags.ts";

/** Samples of a file that are decoded at a time. */
const PIECE_SAMPLES = 2 ** 20;
/** Compressed bytes that a decoder is fed at a time. */
const FED_BYTES = 2 ** 16;
/** Decoders of the library by format. */
const DECODERS: Readonly<Record<string, "oga" | "mp3" | "aac" | "m4a">> = {
  "ogg-vorbis": "oga",
  mp3: "mp3",
  mp2: "mp3",
  aac: "aac",
  mp4: "m4a",
};

/**
 * The pieces of a file, none of them empty. Opus is decoded at `wantedHz` where its decoder can, all else at its own rate.
 * @throws StillwaveError as `decodeAudio`, once decoding comes to what is wrong
 */
export async function* decodePieces(path: string, wantedHz?: number): AsyncGenerator<DecodedAudio, void, undefined> {
  const file = await openAudioFile(path);
  try {
    const parts = await openParts(file);
    if (parts) return yield* partsOf(parts, path);
  } finally {
    await file.close();
  }
  yield* compressedPieces(await readAudioFile(path), path, wantedHz);
}

/** All of a file that can be read part by part. */
async function* partsOf({ header, read }: AudioParts, path: string): AsyncGenerator<DecodedAudio, void, undefined> {
  const { samples, sampleRateHz, note } = header;
  if (samples === 0) throw new StillwaveError(`${path}: holds no samples`);
  for (let start = 0; start < samples; start += PIECE_SAMPLES) {
    const segment = { start, samples: Math.min(PIECE_SAMPLES, samples - start), sampleRateHz };
    const part = await read(segment);
    // what is wrong with it shows where all of it is decoded
    yield part ?? { channelSamples: [(await decodeSegment(path, segment)).samples], sampleRateHz, note };
  }
}

async function* compressedPieces(
  bytes: Uint8Array,
  path: string,
  wantedHz: number | undefined,
): AsyncGenerator<DecodedAudio, void, undefined> {
  const { format, audio, tagBytesBehind } = findAudio(bytes, path);
  if (format === "flac") yield* blocks(audio, path);
  else if (format === "ogg-opus") yield* opusPieces(readOgg(format, audio, path), path, wantedHz);
  else if (isOgg(format)) {
    const stream = readOgg(format, audio, path);
    const whole = format === "ogg-flac" ? blocks(flacOf(stream), path) : libraryPieces(plainOgg(stream), format, path);
    yield* cutToPages(whole, stream, path);
  } else {
    if (format === "mp3") checkMp3Length(audio, tagBytesBehind, path);
    yield* libraryPieces(audio, format, path);
  }
}

function* blocks(bytes: Uint8Array, path: string): Generator<DecodedAudio, void, undefined> {
  const { sampleRateHz } = parseFlacHeader(bytes, path);
  for (const channelSamples of flacBlocks(bytes, path)) yield { channelSamples, sampleRateHz };
}

/** What the library decodes, fed bit by bit. */
async function* libraryPieces(
  bytes: Uint8Array,
  format: AudioFormat,
  path: string,
): AsyncGenerator<DecodedAudio, void, undefined> {
  checkLossySize(bytes, format, path);
  const fail = (text: string) => new StillwaveError(`${path}: ${text}`);
  const decoder = await decodeOther[DECODERS[format]]();
  let samples = 0;
  try {
    for (let at = 0; at <= bytes.length; at += FED_BYTES) {
      const parts = [await decoder(bytes.subarray(at, at + FED_BYTES))];
      if (at + FED_BYTES > bytes.length) parts.push(await decoder());
      for (const { channelData, sampleRate: sampleRateHz } of parts) {
        if (channelData.length === 0 || channelData[0].length === 0) continue;
        samples += channelData[0].length;
        checkedHeader({ samples, sampleRateHz, channels: channelData.length }, path);
        yield { channelSamples: channelData, sampleRateHz };
      }
    }
  } catch (error) {
    if (error instanceof StillwaveError) throw error;
    throw fail(`damaged ${format} (${(error as Error).message}); ${FORMAT_REMEDY}`);
  } finally {
    decoder.free();
  }
  if (samples === 0) throw fail(`nothing in this ${format} file could be decoded; fetch or convert it again`);
}
