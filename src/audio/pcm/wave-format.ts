// The fmt chunk of WAV and W64 files (WAVEFORMATEX, extensible too): how samples are stored, and what is refused.
import { StillwaveError } from "../../errors.ts";
import { FORMAT_REMEDY } from "../format.ts";
import { integerOf, type PcmEncoding, type PcmFormat } from "./samples.ts";

const FORMAT_NAMES: Readonly<Record<number, string>> = {
  2: "MS ADPCM",
  17: "IMA ADPCM",
  49: "GSM 6.10",
  80: "MPEG",
  85: "MP3",
  255: "AAC",
  353: "Windows Media",
};

/** GUID tail of WAVE_FORMAT_EXTENSIBLE sub-formats: the first two bytes of the GUID are the plain format code. */
const SUBFORMAT_TAIL = [0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71];

/**
 * Reads the body of a fmt chunk. Format code, channels and bits are believed; the block size only where it tells that 17 to
 * 24 bits take four bytes, since some programs write 0 or 1 there.
 * @throws StillwaveError naming `path` for what is not read.
 */
export function parseWaveFormat(view: DataView, isBigEndian: boolean, path: string): PcmFormat {
  const size = view.byteLength;
  if (size < 16) throw new StillwaveError(`${path}: WAV fmt chunk of ${size} bytes; at least 16 are needed`);
  const field = (at: number) => view.getUint16(at, !isBigEndian);
  let code = field(0);
  const channels = field(2);
  const sampleRateHz = view.getUint32(4, !isBigEndian);
  const blockBytes = field(12);
  const bits = field(14);
  if (code === 0xfffe) {
    if (size < 40) throw new StillwaveError(`${path}: extensible WAV fmt chunk of ${size} bytes; 40 are needed`);
    if (!SUBFORMAT_TAIL.every((value, i) => view.getUint8(26 + i) === value))
      throw new StillwaveError(`${path}: WAV with an unknown sub-format; ${FORMAT_REMEDY}`);
    code = field(24);
  }
  const encoding = encodingOf(code, channels > 0 ? blockBytes / channels : 0, bits);
  if (!encoding) {
    const kind = { 1: `${bits}-bit integer`, 3: `${bits}-bit float` }[code] ?? `format 0x${code.toString(16)}`;
    const name = FORMAT_NAMES[code] ?? kind;
    throw new StillwaveError(
      `${path}: WAV stored as ${name} (${channels} channels, block of ${blockBytes} bytes), which is not read; ${FORMAT_REMEDY}`,
    );
  }
  return { encoding, isBigEndian, channels, sampleRateHz };
}

function encodingOf(code: number, containerBytes: number, bits: number): PcmEncoding | undefined {
  if (code === 1) {
    const bytes = Math.ceil(bits / 8);
    // samples are left-justified: in four bytes they read as 32 bits whose last ones are zero
    if (bytes === 3 && containerBytes === 4) return "s32";
    // a number of bits that is no whole number of bytes is believed only together with its block size
    if (bits % 8 !== 0 && bytes !== containerBytes) return undefined;
    return bytes === 1 ? "u8" : integerOf(bytes);
  }
  if (code === 3) return bits === 32 ? "f32" : bits === 64 ? "f64" : undefined;
  if (code === 6) return "alaw";
  if (code === 7) return "mulaw";
  return undefined;
}
