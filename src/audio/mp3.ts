// Reads what the first frame of an MP3 file says about its length, to notice truncation.
// Checked here because decoders take a cut MP3 for a shorter recording.
import { StillwaveError } from "../errors.ts";
import { textAt } from "./format.ts";

/**
 * Encoders put a frame without sound first, which counts the bytes of the whole stream ("Xing" or "Info"). Without one
 * a cut MP3 cannot be told from a shorter recording. `bytes` are the frames without the tags around them; some encoders count
 * those behind.
 * @throws StillwaveError if that frame counts more bytes than there are.
 */
export function checkMp3Length(bytes: Uint8Array, tagBytesBehind: number, path: string): void {
  if (bytes.length < 4)
    throw new StillwaveError(`${path}: truncated inside the tag before its audio; fetch or convert it again`);
  const isVersion1 = ((bytes[1] >> 3) & 3) === 3;
  const isMono = bytes[3] >> 6 === 3;
  const sideBytes = isVersion1 ? (isMono ? 17 : 32) : isMono ? 9 : 17;
  const tag = 4 + sideBytes;
  if (!textAt(bytes, tag, "Xing") && !textAt(bytes, tag, "Info")) return;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (tag + 16 > bytes.length)
    throw new StillwaveError(`${path}: truncated inside its first frame; fetch or convert it again`);
  const flags = view.getUint32(tag + 4);
  if ((flags & 2) === 0) return;
  const declared = view.getUint32(tag + (flags & 1 ? 12 : 8));
  if (declared > bytes.length + tagBytesBehind) {
    throw new StillwaveError(
      `${path}: truncated: its first frame says ${declared} bytes, the file holds ${bytes.length}; fetch or convert it again`,
    );
  }
}
