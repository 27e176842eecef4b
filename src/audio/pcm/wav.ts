// The header of a WAV file (RIFF, big-endian RIFX, RF64 and BW64): its chunks up to the samples.
// Read by hand: streamed and cut files need to know their true length before anything is decoded.
import { StillwaveError } from "../../errors.ts";
import { FORMAT_REMEDY, textAt } from "../format.ts";
import { isChunks, layOut } from "./extent.ts";
import type { PcmFormat, PcmLayout } from "./samples.ts";
import { parseWaveFormat } from "./wave-format.ts";

/** What a data chunk's size says where the true one stands in the ds64 chunk. */
const SIZE_IN_DS64 = 0xffffffff;

/**
 * Parses the chunks up to `data`. `bytes` may be the start of the file only; `fileBytes` is its full size.
 * Returns undefined if `bytes` ends before it is clear where the samples are although the file goes on.
 * @throws StillwaveError naming `path` for anything malformed, truncated or stored in a way that is not read.
 */
export function parseWavHeader(bytes: Uint8Array, fileBytes: number, path: string): PcmLayout | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isBigEndian = textAt(bytes, 0, "RIFX");
  let offset = 12;
  let format: PcmFormat | undefined;
  let longDataSize: number | undefined;
  for (;;) {
    if (offset + 8 > bytes.length) {
      if (offset + 8 <= fileBytes) return undefined;
      throw new StillwaveError(
        `${path}: WAV without a data chunk (the file ends at byte ${fileBytes}); it is truncated`,
      );
    }
    const size = view.getUint32(offset + 4, !isBigEndian);
    const body = offset + 8;
    if (textAt(bytes, offset, "data")) {
      if (!format) throw new StillwaveError(`${path}: WAV with a data chunk before its fmt chunk; ${FORMAT_REMEDY}`);
      const declaredBytes = size === SIZE_IN_DS64 ? (longDataSize ?? size) : size;
      const isFollowed = declaredBytes === 0 ? isChunks(view, body, fileBytes, isBigEndian) : false;
      if (isFollowed === undefined) return undefined;
      return layOut(format, { dataOffset: body, declaredBytes, fileBytes, isFollowed }, path);
    }
    if (body + size > bytes.length && (textAt(bytes, offset, "fmt ") || textAt(bytes, offset, "ds64"))) {
      if (body + size <= fileBytes) return undefined;
      throw new StillwaveError(`${path}: WAV truncated in its header, at byte ${fileBytes}`);
    }
    if (textAt(bytes, offset, "fmt "))
      format = parseWaveFormat(new DataView(bytes.buffer, bytes.byteOffset + body, size), isBigEndian, path);
    if (textAt(bytes, offset, "ds64") && size >= 16) longDataSize = Number(view.getBigUint64(body + 8, !isBigEndian));
    offset = body + size + (size & 1);
  }
}
