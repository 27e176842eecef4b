// Tags that programs put before and behind the audio itself, in formats that have a place for them and in those that have none.
import { type AudioFormat, detectFormat, textAt } from "./format.ts";

/** Header and footer of an APE tag have the same size. */
const APE_FRAME_BYTES = 32;
const ID3V1_BYTES = 128;
/** "TAG+", before an ID3v1 tag. */
const ID3V1_ENHANCED_BYTES = 227;
/** Six digits and "LYRICS200", at the end of a Lyrics3 tag. */
const LYRICS3_END_BYTES = 15;

/** Formats that end where their last frame or page ends; the others say how many bytes belong to them. */
const HAS_TAGS_BEHIND: ReadonlySet<AudioFormat> = new Set([
  "flac",
  "ogg-opus",
  "ogg-vorbis",
  "ogg-flac",
  "mp3",
  "mp2",
  "aac",
]);

/** A file's audio without the tags around it. */
export interface FoundAudio {
  readonly format: AudioFormat;
  readonly audio: Uint8Array;
  readonly tagBytesBehind: number;
}

/**
 * Finds the audio in a whole file.
 * @throws StillwaveError naming `path` if it is of no format that is read.
 */
export function findAudio(bytes: Uint8Array, path: string): FoundAudio {
  const start = bytesBeforeAudio(bytes);
  const audio = bytes.subarray(start);
  // a tag alone is most likely what is left of an MP3 file
  const format = start > 0 && audio.length === 0 ? "mp3" : detectFormat(audio, path);
  const found = HAS_TAGS_BEHIND.has(format) ? withoutTagsBehind(audio) : audio;
  return { format, audio: found, tagBytesBehind: audio.length - found.length };
}

/**
 * Bytes before the audio: any number of ID3v2 and APE tags, and zeros where a tag or audio follows them. More than
 * `bytes` has if a tag goes on beyond them.
 */
export function bytesBeforeAudio(bytes: Uint8Array): number {
  let at = 0;
  for (;;) {
    const rest = bytes.subarray(at);
    const tag = id3Length(rest) || apeLengthAtStart(rest);
    const zeros = tag === 0 ? zerosAtStart(rest) : 0;
    const follows = rest.subarray(zeros);
    const isPadding = zeros > 0 && (beginsAudio(follows) || id3Length(follows) > 0 || apeLengthAtStart(follows) > 0);
    const length = isPadding ? zeros : tag;
    if (length === 0) return at;
    at += length;
    if (at >= bytes.length) return at;
  }
}

/** `bytes` up to the tags behind their audio: any number of ID3v1, Lyrics3, APE and appended ID3v2.4 tags. */
export function withoutTagsBehind(bytes: Uint8Array): Uint8Array {
  let end = bytes.length;
  for (;;) {
    const length = tagLengthAtEnd(bytes.subarray(0, end));
    if (length === 0 || length > end) return bytes.subarray(0, end);
    end -= length;
  }
}

function zerosAtStart(bytes: Uint8Array): number {
  let count = 0;
  while (count < bytes.length && bytes[count] === 0) count++;
  return count;
}

/** Length of an ID3v2 tag at the start of `bytes`, 0 without one. Its size has seven bits a byte. */
function id3Length(bytes: Uint8Array): number {
  if (!textAt(bytes, 0, "ID3") || bytes.length < 10) return 0;
  return 10 + sevenBitSize(bytes, 6) + (bytes[5] & 0x10 ? 10 : 0);
}

function sevenBitSize(bytes: Uint8Array, at: number): number {
  return [0, 1, 2, 3].reduce((size, i) => size * 128 + (bytes[at + i] & 0x7f), 0);
}

/** An APE tag counts its items and its footer, which is the header again but for a flag. */
function apeSize(bytes: Uint8Array, at: number): { readonly size: number; readonly flags: number } | undefined {
  if (at < 0 || at + APE_FRAME_BYTES > bytes.length || !textAt(bytes, at, "APETAGEX")) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, APE_FRAME_BYTES);
  return { size: view.getUint32(12, true), flags: view.getUint32(20, true) };
}

function apeLengthAtStart(bytes: Uint8Array): number {
  const ape = apeSize(bytes, 0);
  return ape ? APE_FRAME_BYTES + ape.size : 0;
}

function tagLengthAtEnd(bytes: Uint8Array): number {
  const end = bytes.length;
  if (textAt(bytes, end - ID3V1_BYTES, "TAG"))
    return textAt(bytes, end - ID3V1_BYTES - ID3V1_ENHANCED_BYTES, "TAG+")
      ? ID3V1_BYTES + ID3V1_ENHANCED_BYTES
      : ID3V1_BYTES;
  const ape = apeSize(bytes, end - APE_FRAME_BYTES);
  if (ape) return ape.size + (ape.flags & 0x80000000 ? APE_FRAME_BYTES : 0);
  if (textAt(bytes, end - 10, "3DI")) return 20 + sevenBitSize(bytes, end - 4);
  if (!textAt(bytes, end - 9, "LYRICS200")) return 0;
  const digits = String.fromCharCode(...bytes.subarray(end - LYRICS3_END_BYTES, end - 9));
  return /^\d{6}$/.test(digits) ? Number(digits) + LYRICS3_END_BYTES : 0;
}

/** What files of the formats that have a name begin with; an MP4 file may itself begin with zeros. */
const MAGICS = ["fLaC", "OggS", "RIFF", "RIFX", "RF64", "BW64", "riff", "FORM", ".snd", "dns."];

const beginsAudio = (bytes: Uint8Array) =>
  (bytes[0] === 0xff && (bytes[1] & 0xe0) === 0xe0) || MAGICS.some((magic) => textAt(bytes, 0, magic));
