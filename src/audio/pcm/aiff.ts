// The header of an AIFF or AIFF-C file: the COMM chunk, which says how samples are stored, and SSND, which holds them.
import { StillwaveError } from "../../errors.ts";
import { FORMAT_REMEDY, textAt } from "../format.ts";
import { isChunks, layOut } from "./extent.ts";
import { bytesPerFrame, integerOf, type PcmEncoding, type PcmFormat, type PcmLayout } from "./samples.ts";

/** Compression types of AIFF-C that fix the encoding; NONE, twos and sowt are integers of as many bits as COMM says. */
const COMPRESSIONS: Readonly<Record<string, readonly [encoding: PcmEncoding, isLittleEndian?: boolean]>> = {
  "raw ": ["u8"],
  in24: ["s24"],
  in32: ["s32"],
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

interface Common {
  readonly format: PcmFormat;
  readonly frames: number;
}

/** As `parseWavHeader`. @throws StillwaveError naming `path` for anything malformed, truncated or not read. */
export function parseAiffHeader(bytes: Uint8Array, fileBytes: number, path: string): PcmLayout | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isCompressed = textAt(bytes, 8, "AIFC");
  let common: Common | undefined;
  let sound: { readonly body: number; readonly size: number } | undefined;
  for (let offset = 12; !common || !sound; ) {
    const body = offset + 8;
    if (body > bytes.length) {
      if (body <= fileBytes) return undefined;
      const missing = common ? "sound (SSND)" : "COMM";
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
      common = parseCommon(new DataView(bytes.buffer, bytes.byteOffset + body, size), isCompressed, path);
    }
    offset = body + size + (size & 1);
  }
  return soundData(view, { ...sound, ...common }, fileBytes, path);
}

function parseCommon(view: DataView, isCompressed: boolean, path: string): Common {
  const needed = isCompressed ? 22 : 18;
  if (view.byteLength < needed)
    throw new StillwaveError(`${path}: AIFF COMM chunk of ${view.byteLength} bytes; at least ${needed} are needed`);
  const channels = view.getUint16(0);
  const frames = view.getUint32(2);
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
  return { format: { encoding, isBigEndian: !isLittleEndian, channels, sampleRateHz }, frames };
}

/** An 80-bit float of SANE, rounded to a whole number: sign and exponent, then 64 bits with the leading one written out. */
function extended(view: DataView, at: number): number {
  const exponent = view.getUint16(at) - 16383 - 63;
  return Math.round((view.getUint32(at + 2) * 2 ** 32 + view.getUint32(at + 6)) * 2 ** exponent);
}

/** The samples behind SSND's own two words, as many as COMM counts where it counts any. */
function soundData(
  view: DataView,
  { format, frames, body, size }: Common & { readonly body: number; readonly size: number },
  fileBytes: number,
  path: string,
): PcmLayout | undefined {
  if (body + 8 > view.byteLength) {
    if (body + 8 <= fileBytes) return undefined;
    throw new StillwaveError(`${path}: AIFF truncated in its header, at byte ${fileBytes}`);
  }
  const dataOffset = body + 8 + view.getUint32(body);
  const held = Math.max(0, body + size - dataOffset);
  const isFollowed = held === 0 ? isChunks(view, body + size, fileBytes, true) : false;
  if (isFollowed === undefined) return undefined;
  const counted = frames * bytesPerFrame(format);
  if (counted > held && held > 0)
    throw new StillwaveError(
      `${path}: AIFF whose COMM chunk counts ${frames} samples, while its SSND chunk has ${held} bytes; ${FORMAT_REMEDY}`,
    );
  return layOut(format, { dataOffset, declaredBytes: counted || held, fileBytes, isFollowed }, path);
}
