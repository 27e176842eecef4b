// The header of a WAV file (RIFF and RF64, extensible too): where the samples are, how they are stored, and what is refused.
// Read by hand: streamed and cut files need to know their true length before anything is decoded.
import { StillwaveError } from "../errors.ts";
import { type AudioHeader, checkedHeader } from "./decoded.ts";
import { FORMAT_REMEDY, textAt } from "./format.ts";

export type WavEncoding = "u8" | "s16" | "s24" | "s32" | "f32" | "f64" | "mulaw" | "alaw";

/** Where the samples of a WAV file are and how they are stored. */
export interface WavHeader extends AudioHeader {
  readonly encoding: WavEncoding;
  readonly dataOffset: number;
  readonly bytesPerFrame: number;
}

const FORMAT_NAMES: Readonly<Record<number, string>> = {
  2: "MS ADPCM",
  17: "IMA ADPCM",
  49: "GSM 6.10",
  80: "MPEG",
  85: "MP3",
  353: "Windows Media",
};

/** GUID tail of WAVE_FORMAT_EXTENSIBLE sub-formats: the first two bytes of the GUID are the plain format code. */
const SUBFORMAT_TAIL = [0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71];

/** Data sizes that programs write when they stream and cannot come back to fill in the true one. */
const isUnknownSize = (size: number) => size === 0 || size >= 0xffff0000 || (size >= 0x7ffff000 && size <= 0x7fffffff);

/**
 * Parses the chunks up to `data`. `bytes` may be the start of the file only; `fileBytes` is its full size.
 * Returns undefined if `bytes` ends before the data chunk begins although the file goes on.
 * @throws StillwaveError naming `path` for anything malformed, truncated or stored in a way that is not read.
 */
export function parseWavHeader(bytes: Uint8Array, fileBytes: number, path: string): WavHeader | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let offset = 12;
  let format: Format | undefined;
  let longDataSize: number | undefined;
  for (;;) {
    if (offset + 8 > bytes.length) {
      if (offset + 8 <= fileBytes) return undefined;
      throw new StillwaveError(
        `${path}: WAV without a data chunk (the file ends at byte ${fileBytes}); it is truncated`,
      );
    }
    const size = view.getUint32(offset + 4, true);
    const body = offset + 8;
    if (textAt(bytes, offset, "data")) {
      if (!format) throw new StillwaveError(`${path}: WAV with a data chunk before its fmt chunk; ${FORMAT_REMEDY}`);
      const declared = size === 0xffffffff ? (longDataSize ?? size) : size;
      return dataChunk(format, body, declared, fileBytes, path);
    }
    if (body + size > bytes.length && (textAt(bytes, offset, "fmt ") || textAt(bytes, offset, "ds64"))) {
      if (body + size <= fileBytes) return undefined;
      throw new StillwaveError(`${path}: WAV truncated in its header, at byte ${fileBytes}`);
    }
    if (textAt(bytes, offset, "fmt ")) format = parseFormat(view, body, size, path);
    if (textAt(bytes, offset, "ds64") && size >= 16) longDataSize = Number(view.getBigUint64(body + 8, true));
    offset = body + size + (size & 1);
  }
}

type Format = Pick<WavHeader, "encoding" | "channels" | "sampleRateHz" | "bytesPerFrame">;

function parseFormat(view: DataView, body: number, size: number, path: string): Format {
  if (size < 16) throw new StillwaveError(`${path}: WAV fmt chunk of ${size} bytes; at least 16 are needed`);
  let code = view.getUint16(body, true);
  const channels = view.getUint16(body + 2, true);
  const sampleRateHz = view.getUint32(body + 4, true);
  const blockAlign = view.getUint16(body + 12, true);
  const bits = view.getUint16(body + 14, true);
  if (code === 0xfffe) {
    if (size < 40) throw new StillwaveError(`${path}: extensible WAV fmt chunk of ${size} bytes; 40 are needed`);
    const tail = SUBFORMAT_TAIL.every((value, i) => view.getUint8(body + 26 + i) === value);
    if (!tail) throw new StillwaveError(`${path}: WAV with an unknown sub-format; ${FORMAT_REMEDY}`);
    code = view.getUint16(body + 24, true);
  }
  const bytesPerSample = channels > 0 ? blockAlign / channels : 0;
  const encoding = encodingOf(code, bytesPerSample, bits);
  if (!encoding) {
    const kind = { 1: `${bits}-bit integer`, 3: `${bits}-bit float` }[code] ?? `format 0x${code.toString(16)}`;
    const name = FORMAT_NAMES[code] ?? kind;
    throw new StillwaveError(
      `${path}: WAV stored as ${name} (${channels} channels, block of ${blockAlign} bytes), which is not read; ${FORMAT_REMEDY}`,
    );
  }
  return { encoding, channels, sampleRateHz, bytesPerFrame: blockAlign };
}

function encodingOf(code: number, bytesPerSample: number, bits: number): WavEncoding | undefined {
  if (bits < 1 || Math.ceil(bits / 8) !== bytesPerSample) return undefined;
  if (code === 1) return ({ 1: "u8", 2: "s16", 3: "s24", 4: "s32" } as const)[bytesPerSample];
  if (code === 3) return bits === 32 ? "f32" : bits === 64 ? "f64" : undefined;
  if (code === 6 && bits === 8) return "alaw";
  if (code === 7 && bits === 8) return "mulaw";
  return undefined;
}

function dataChunk(format: Format, body: number, declared: number, fileBytes: number, path: string): WavHeader {
  const available = fileBytes - body;
  let size = declared;
  if (isUnknownSize(declared)) size = available;
  else if (declared > available) {
    throw new StillwaveError(
      `${path}: truncated: the header says ${declared} bytes of samples, the file holds ${available}; fetch or convert it again`,
    );
  }
  const header = { ...format, samples: Math.floor(size / format.bytesPerFrame), dataOffset: body };
  checkedHeader(header, path);
  return header;
}
