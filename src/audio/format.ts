// Recognises an audio container by its first bytes; file names and extensions are never believed.
import { StillwaveError } from "../errors.ts";

/** Containers that `decodeAudio` reads. */
export type AudioFormat =
  | "flac"
  | "wav"
  | "w64"
  | "aiff"
  | "au"
  | "ogg-opus"
  | "ogg-vorbis"
  | "ogg-flac"
  | "mp3"
  | "mp2"
  | "aac"
  | "mp4";

/** What to say to someone whose file is in none of them. */
export const FORMAT_REMEDY = "convert it to FLAC or WAV (16-bit) first";

/** Extensions under which audio is looked for in folders; the content decides how a file is read. */
export const AUDIO_EXTENSIONS: readonly string[] = [
  ...[".flac", ".wav", ".w64", ".aiff", ".aif", ".aifc", ".au", ".snd"],
  ...[".ogg", ".oga", ".opus", ".mp3", ".mp2", ".aac", ".m4a", ".mp4"],
];

const KNOWN_BUT_REFUSED: readonly (readonly [start: string, what: string])[] = [
  ["FORM", "an IFF file other than AIFF"],
  ["caff", "Core Audio (CAF)"],
  ["NIST", "NIST SPHERE"],
  ["#!AMR", "AMR"],
  ["ADIF", "AAC in an ADIF file"],
  ["MPCK", "Musepack"],
  ["TTA1", "True Audio"],
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

/**
 * The container of `bytes`, which begin behind any tags (64 KB of them are enough).
 * @throws StillwaveError naming `path` if it is empty or none that is read here.
 */
export function detectFormat(bytes: Uint8Array, path: string): AudioFormat {
  if (bytes.length === 0) throw new StillwaveError(`${path}: the file is empty`);
  if (textAt(bytes, 8, "WAVE") && RIFF_NAMES.some((name) => textAt(bytes, 0, name))) return "wav";
  if (isW64(bytes)) return "w64";
  if (textAt(bytes, 0, "FORM") && (textAt(bytes, 8, "AIFF") || textAt(bytes, 8, "AIFC"))) return "aiff";
  if (textAt(bytes, 0, ".snd") || textAt(bytes, 0, "dns.")) return "au";
  if (textAt(bytes, 0, "fLaC")) return "flac";
  if (textAt(bytes, 0, "OggS")) return oggCodec(bytes, path);
  if (textAt(bytes, 4, "ftyp")) return "mp4";
  for (const [start, name] of KNOWN_BUT_REFUSED) {
    if (textAt(bytes, 0, start))
      throw new StillwaveError(`${path}: this is ${name}, which is not read; ${FORMAT_REMEDY}`);
  }
  const frames = mpegFrames(bytes, path);
  if (frames) return frames;
  throw new StillwaveError(
    `${path}: not an audio file this tool reads (FLAC, WAV, W64, AIFF, AU, Ogg Opus, Ogg Vorbis, MP3, MP2, AAC, M4A); ${FORMAT_REMEDY}`,
  );
}

/** WAV; big-endian; with sizes of 64 bits, by EBU Tech 3306 and by ITU-R BS.2088. */
const RIFF_NAMES = ["RIFF", "RIFX", "RF64", "BW64"];

const isW64 = (bytes: Uint8Array) =>
  textAt(bytes, 0, "riff\x2e\x91\xcf\x11") && textAt(bytes, 24, "wave\xf3\xac\xd3\x11");

function oggCodec(bytes: Uint8Array, path: string): AudioFormat {
  const body = 27 + (bytes[26] ?? 0);
  if (textAt(bytes, body, "OpusHead")) return "ogg-opus";
  if (textAt(bytes, body, "\x01vorbis")) return "ogg-vorbis";
  if (textAt(bytes, body, "\x7fFLAC")) return "ogg-flac";
  throw new StillwaveError(`${path}: an Ogg file whose first stream is not Opus, Vorbis or FLAC; ${FORMAT_REMEDY}`);
}

/** Sampling rates of AAC by the index in an ADTS header. */
const ADTS_RATES_HZ = [96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350];

/**
 * What the header of an MPEG audio frame says, which begins with 11 or 12 sync bits. Layer I is left out: few bits tell it
 * from UTF-16 text, and nobody has it.
 * @throws StillwaveError for AAC up to 24 kHz, where the decoder cannot know whether a second band follows, and doubles the rate.
 */
function mpegFrames(bytes: Uint8Array, path: string): AudioFormat | undefined {
  if (bytes.length < 4 || bytes[0] !== 0xff || (bytes[1] & 0xe0) !== 0xe0) return undefined;
  if ((bytes[1] & 0xf6) === 0xf0) {
    const rateHz = ADTS_RATES_HZ[(bytes[2] >> 2) & 15];
    if (rateHz === undefined || rateHz > 24_000) return rateHz === undefined ? undefined : "aac";
    throw new StillwaveError(
      `${path}: this is AAC of ${rateHz} Hz in ADTS frames, which is not read; ${FORMAT_REMEDY}`,
    );
  }
  const version = (bytes[1] >> 3) & 3;
  const layer = (bytes[1] >> 1) & 3;
  if (version === 1 || bytes[2] >> 4 === 15 || ((bytes[2] >> 2) & 3) === 3) return undefined;
  return layer === 1 ? "mp3" : layer === 2 ? "mp2" : undefined;
}
