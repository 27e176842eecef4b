// The header of a Sony Wave64 file: WAV with GUIDs for names, 64-bit sizes that count their own header, and chunks that
// begin at multiples of eight bytes.
import { StillwaveError } from "../../errors.ts";
import { FORMAT_REMEDY, textAt } from "../format.ts";
import { layOut } from "./extent.ts";
import type { PcmFormat, PcmLayout } from "./samples.ts";
import { parseWaveFormat } from "./wave-format.ts";

/** Bytes of a chunk's header: a GUID, whose first four bytes are the chunk's name in WAV, and the size. */
const CHUNK_HEADER_BYTES = 24;
/** What follows the name in the GUID of every chunk but `riff`. */
const GUID_TAIL = "\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a";

/** As `parseWavHeader`. @throws StillwaveError naming `path` for anything malformed, truncated or not read. */
export function parseW64Header(bytes: Uint8Array, fileBytes: number, path: string): PcmLayout | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let format: PcmFormat | undefined;
  for (let offset = 40; ; ) {
    const body = offset + CHUNK_HEADER_BYTES;
    if (body > bytes.length) {
      if (body <= fileBytes) return undefined;
      throw new StillwaveError(
        `${path}: W64 without a data chunk (the file ends at byte ${fileBytes}); it is truncated`,
      );
    }
    const size = Number(view.getBigUint64(offset + 16, true)) - CHUNK_HEADER_BYTES;
    const isData = textAt(bytes, offset, `data${GUID_TAIL}`);
    // a writer that streams may leave the whole field 0
    if (size < 0 && !(isData && size === -CHUNK_HEADER_BYTES))
      throw new StillwaveError(`${path}: W64 chunk of an impossible size at byte ${offset}; ${FORMAT_REMEDY}`);
    if (isData) {
      if (!format) throw new StillwaveError(`${path}: W64 with a data chunk before its fmt chunk; ${FORMAT_REMEDY}`);
      if (size === 0 && body + CHUNK_HEADER_BYTES > bytes.length && bytes.length < fileBytes) return undefined;
      const isFollowed = size === 0 && textAt(bytes, body + 4, GUID_TAIL);
      return layOut(format, { dataOffset: body, declaredBytes: Math.max(0, size), fileBytes, isFollowed }, path);
    }
    if (textAt(bytes, offset, `fmt ${GUID_TAIL}`)) {
      if (body + size > bytes.length) {
        if (body + size <= fileBytes) return undefined;
        throw new StillwaveError(`${path}: W64 truncated in its header, at byte ${fileBytes}`);
      }
      format = parseWaveFormat(new DataView(bytes.buffer, bytes.byteOffset + body, size), false, path);
    }
    offset = Math.ceil((body + size) / 8) * 8;
  }
}
