// Reads what the first frame of an MP3 file says about its length, to notice truncation.
// Checked here because decoders take a cut MP3 for a shorter recording.
import { StillwaveError } from "../errors.ts";
import { id3Length, textAt } from "./format.ts";

/**
 * Encoders put a frame without sound first, which counts the bytes of the whole stream ("Xing" or "Info"). Without one
 * a cut MP3 cannot be told from a shorter recording.
 * @throws StillwaveError if that frame counts more bytes than there are.
 */
export function checkMp3Length(bytes: Uint8Array, path: string): void {
  const start = id3Length(bytes);
  if (start + 4 > bytes.length)
    throw new StillwaveError(`${path}: truncated inside its ID3 tag; fetch or convert it again`);
  const isVersion1 = ((bytes[start + 1] >> 3) & 3) === 3;
  const isMono = bytes[start + 3] >> 6 === 3;
  const sideBytes = isVersion1 ? (isMono ? 17 : 32) : isMono ? 9 : 17;
  const tag = start + 4 + sideBytes;
  if (!textAt(bytes, tag, "Xing") && !textAt(bytes, tag, "Info")) return;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (tag + 16 > bytes.length)
    throw new StillwaveError(`${path}: truncated inside its first frame; fetch or convert it again`);
  const flags = view.getUint32(tag + 4);
  if ((flags & 2) === 0) return;
  const declared = view.getUint32(tag + (flags & 1 ? 12 : 8));
  if (declared > bytes.length - start) {
    throw new StillwaveError(
      `${path}: truncated: its first frame says ${declared} bytes, the file holds ${bytes.length - start}; fetch or convert it again`,
    );
  }
}
