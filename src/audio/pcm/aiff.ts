// The header of an AIFF or AIFF-C file: the COMM chunk, which says how samples are stored, and SSND, which holds them.
import { StillwaveError } from "../../errors.ts";
import { FORMAT_REMEDY, textAt } from "../format.ts";
import { isChunks, layOut } from "./extent.ts";
import { integerOf, type PcmEncoding, type PcmFormat, type PcmLayout } from "./samples.ts";

/** Compression types of AIFF-C that fix the encoding; NONE, twos and sowt are integers of as many bits as COMM says. */
const COMPRESSIONS: Readonly<Record<string, readonly [encoding: PcmEncoding, isLittleEndian?: boolean]>> = {
  "raw ": ["u8"],
  in24: ["s24"],
  in32: ["s32"],
  "42n1": ["s24", true],
  "42ni": ["s24", true],
  "23ni": ["s32", true],
  fl32: ["f32"],
  FL32: ["f32"],
  fl64: ["f64"],
  FL64: ["f64"],
  ulaw: ["mulaw"],
  ULAW: ["mulaw"],
  alaw: ["alaw"],
  ALAW: ["alaw"],
};

/** As `parseWavHeader`. @throws StillwaveError naming `path` for anything malformed, truncated or not read. */
export function parseAiffHeader(bytes: Uint8Array, fileBytes: number, path: string): PcmLayout | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isCompressed = textAt(bytes, 8, "AIFC");
  let format: PcmFormat | undefined;
  let sound: { readonly body: number; readonly size: number } | undefined;
  for (let offset = 12; !format || !sound; ) {
    const body = offset + 8;
    if (body > bytes.length) {
      if (body <= fileBytes) return undefined;
      const missing = format ? "sound (SSND)" : "COMM";
      throw new StillwaveError(
        `${path}: AIFF without a ${missing} chunk (the file ends at byte ${fileBytes}); it is truncated`,
      );
    }
    const size = view.getUint32(offset + 4);
    if (textAt(bytes, offset, "SSND")) sound = { body, size };
    if (textAt(bytes, offset, "COMM")) {
      if (body + size > bytes.length) {
        if (body + size <= fileBytes) return undefined;
        throw new StillwaveError(`${path}: AIFF truncated in its header, at byte ${fileBytes}`);
      }
      format = parseCommon(new DataView(bytes.buffer, bytes.byteOffset + body, size), isCompressed, path);
    }
    offset = body + size + (size & 1);
  }
  return soundData(view, { ...sound, format }, fileBytes, path);
}

function parseCommon(view: DataView, isCompressed: boolean, path: string): PcmFormat {
  const needed = isCompressed ? 22 : 18;
  if (view.byteLength < needed)
    throw new StillwaveError(`${path}: AIFF COMM chunk of ${view.byteLength} bytes; at least ${needed} are needed`);
  const channels = view.getUint16(0);
  const bits = view.getUint16(6);
  const sampleRateHz = extended(view, 8);
  const kind = isCompressed ? String.fromCharCode(...[18, 19, 20, 21].map((at) => view.getUint8(at))) : "NONE";
  const isInteger = kind === "NONE" || kind === "twos" || kind === "sowt";
  const [encoding, isLittleEndian = kind === "sowt"] = isInteger
    ? [integerOf(Math.ceil(bits / 8))]
    : (COMPRESSIONS[kind] ?? []);
  if (!encoding) {
    const name = isInteger ? `${bits}-bit integers` : JSON.stringify(kind);
    throw new StillwaveError(`${path}: AIFF stored as ${name}, which is not read; ${FORMAT_REMEDY}`);
  }
  return { encoding, isBigEndian: !isLittleEndian, channels, sampleRateHz };
}

/** An 80-bit float of SANE, rounded to a whole number: sign and exponent, then 64 bits with the leading one written out. */
function extended(view: DataView, at: number): number {
  const exponent = view.getUint16(at) - 16383 - 63;
  return Math.round((view.getUint32(at + 2) * 2 ** 32 + view.getUint32(at + 6)) * 2 ** exponent);
}

interface Sound {
  readonly format: PcmFormat;
  readonly body: number;
  readonly size: number;
}

/** The samples behind SSND's own two words. As others do, COMM's count of them is not believed. */
function soundData(
  view: DataView,
  { format, body, size }: Sound,
  fileBytes: number,
  path: string,
): PcmLayout | undefined {
  if (body + 8 > view.byteLength) {
    if (body + 8 <= fileBytes) return undefined;
    throw new StillwaveError(`${path}: AIFF truncated in its header, at byte ${fileBytes}`);
  }
  const dataOffset = body + 8 + view.getUint32(body);
  const declaredBytes = Math.max(0, body + size - dataOffset);
  const isFollowed = declaredBytes === 0 ? isChunks(view, body + size, fileBytes, true) : false;
  if (isFollowed === undefined) return undefined;
  return layOut(format, { dataOffset, declaredBytes, fileBytes, isFollowed }, path);
}
