// Recognises an audio container by its first bytes; file names and extensions are never believed.
import { StillwaveError } from "../errors.ts";

/** Containers that `decodeAudio` reads. */
export type AudioFormat = "flac" | "wav" | "ogg-opus" | "ogg-vorbis" | "ogg-flac" | "mp3" | "mp4";

/** What to say to someone whose file is in none of them. */
export const FORMAT_REMEDY = "convert it to FLAC or WAV (16-bit) first";

/** Extensions under which audio is looked for in folders; the content decides how a file is read. */
export const AUDIO_EXTENSIONS: readonly string[] = [".flac", ".wav", ".ogg", ".oga", ".opus", ".mp3", ".m4a", ".mp4"];

const KNOWN_BUT_REFUSED: readonly (readonly [start: string, what: string])[] = [
  ["RIFX", "big-endian WAV (RIFX)"],
  ["FORM", "AIFF"],
  ["caff", "Core Audio (CAF)"],
  ["NIST", "NIST SPHERE"],
  [".snd", "Sun AU"],
  ["#!AMR", "AMR"],
  ["MAC ", "Monkey's Audio"],
  ["wvpk", "WavPack"],
  ["\x1aE\xdf\xa3", "Matroska or WebM"],
  ["0&\xb2u", "Windows Media"],
  ["PK\x03\x04", "a zip archive"],
  ["\x1f\x8b", "a gzip archive"],
  ["version https://git-lfs", "a Git LFS pointer, not the audio itself"],
];

export function textAt(bytes: Uint8Array, offset: number, text: string): boolean {
  if (offset < 0 || offset + text.length > bytes.length) return false;
  for (let i = 0; i < text.length; i++) if (bytes[offset + i] !== text.charCodeAt(i)) return false;
  return true;
}

/** Length of an ID3v2 tag at the start of `bytes` (MP3 and, wrongly but often, FLAC files carry one), 0 without one. */
export function id3Length(bytes: Uint8Array): number {
  if (!textAt(bytes, 0, "ID3") || bytes.length < 10) return 0;
  const size = (bytes[6] << 21) | (bytes[7] << 14) | (bytes[8] << 7) | bytes[9];
  return 10 + size + (bytes[5] & 0x10 ? 10 : 0);
}

/**
 * The container of `bytes` (the first 64 KB of a file are enough).
 * @throws StillwaveError naming `path` if it is empty or none that is read here.
 */
export function detectFormat(bytes: Uint8Array, path: string): AudioFormat {
  if (bytes.length === 0) throw new StillwaveError(`${path}: the file is empty`);
  if (textAt(bytes, 8, "WAVE") && (textAt(bytes, 0, "RIFF") || textAt(bytes, 0, "RF64"))) return "wav";
  if (textAt(bytes, 0, "fLaC")) return "flac";
  if (textAt(bytes, 0, "OggS")) return oggCodec(bytes, path);
  if (textAt(bytes, 4, "ftyp")) return "mp4";
  const tag = id3Length(bytes);
  if (tag > 0) return textAt(bytes, tag, "fLaC") ? "flac" : "mp3";
  for (const [start, name] of KNOWN_BUT_REFUSED) {
    if (textAt(bytes, 0, start))
      throw new StillwaveError(`${path}: this is ${name}, which is not read; ${FORMAT_REMEDY}`);
  }
  if (isMp3Frame(bytes)) return "mp3";
  throw new StillwaveError(
    `${path}: not an audio file this tool reads (FLAC, WAV, Ogg Opus, Ogg Vorbis, MP3, M4A); ${FORMAT_REMEDY}`,
  );
}

function oggCodec(bytes: Uint8Array, path: string): AudioFormat {
  const body = 27 + (bytes[26] ?? 0);
  if (textAt(bytes, body, "OpusHead")) return "ogg-opus";
  if (textAt(bytes, body, "\x01vorbis")) return "ogg-vorbis";
  if (textAt(bytes, body, "\x7fFLAC")) return "ogg-flac";
  throw new StillwaveError(`${path}: an Ogg file whose first stream is not Opus, Vorbis or FLAC; ${FORMAT_REMEDY}`);
}

/** An MPEG audio layer III frame header: 11 sync bits, valid version, layer, bit rate and sampling rate. */
function isMp3Frame(bytes: Uint8Array): boolean {
  if (bytes.length < 4 || bytes[0] !== 0xff || (bytes[1] & 0xe0) !== 0xe0) return false;
  const version = (bytes[1] >> 3) & 3;
  const layer = (bytes[1] >> 1) & 3;
  return version !== 1 && layer === 1 && bytes[2] >> 4 !== 15 && ((bytes[2] >> 2) & 3) !== 3;
}
