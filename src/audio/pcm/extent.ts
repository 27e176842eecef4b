// How many samples a file of uncompressed audio holds: what its header declares, or all up to its end where the writer
// streamed and could not come back to fill in the true size.
import { StillwaveError } from "../../errors.ts";
import { checkedHeader } from "../decoded.ts";
import { bytesPerFrame, type PcmFormat, type PcmLayout } from "./samples.ts";

/**
 * The least size of data that stands for "unknown": programs write some value just below 2 GiB (sox 0x7f000000 for AIFF and
 * 0x7ffff000 for WAV, in whole frames) or up to 4 GiB. Files that are read are smaller than 2 GiB, and a size below this one
 * that the file does not hold means that its end is missing.
 */
const LEAST_UNKNOWN_BYTES = 0x7f000000;

/** Where the data begins, and the bytes that the header says it has. */
export interface DeclaredData {
  readonly dataOffset: number;
  /** 0 and sizes around 2 GiB and above mean "up to the end of the file" where the file does not hold so many. */
  readonly declaredBytes: number;
  readonly fileBytes: number;
  /** Whether something else follows data of 0 bytes: then there are none, and what follows is no audio. */
  readonly isFollowed?: boolean;
}

/** @throws StillwaveError if the samples are cut, or too many. */
export function layOut(format: PcmFormat, data: DeclaredData, path: string): PcmLayout {
  const { dataOffset, declaredBytes, fileBytes, isFollowed = false } = data;
  const available = Math.max(0, fileBytes - dataOffset);
  const isUnknown = declaredBytes === 0 ? !isFollowed : declaredBytes >= LEAST_UNKNOWN_BYTES;
  if (declaredBytes > available && !isUnknown) {
    throw new StillwaveError(
      `${path}: truncated: the header says ${declaredBytes} bytes of samples, the file holds ${available}; fetch or convert it again`,
    );
  }
  const bytes = isUnknown && (declaredBytes === 0 || declaredBytes > available) ? available : declaredBytes;
  const samples = Math.floor(bytes / bytesPerFrame(format));
  checkedHeader({ ...format, samples }, path);
  return { ...format, samples, dataOffset };
}

/** Bytes of a chunk's header: four letters and a size. */
const CHUNK_HEADER_BYTES = 8;

/**
 * Whether only chunks lie from `at` to the end of the file, at least one: four printable letters, a size, so many bytes,
 * padded to an even number. Undefined if `bytes`, the start of the file, does not reach far enough to tell.
 */
export function isChunks(view: DataView, at: number, fileBytes: number, isBigEndian: boolean): boolean | undefined {
  if (at >= fileBytes) return false;
  for (let offset = at; offset < fileBytes; ) {
    if (offset + CHUNK_HEADER_BYTES > fileBytes) return false;
    if (offset + CHUNK_HEADER_BYTES > view.byteLength) return undefined;
    for (let i = 0; i < 4; i++) {
      const letter = view.getUint8(offset + i);
      if (letter < 0x20 || letter > 0x7e) return false;
    }
    const size = view.getUint32(offset + 4, !isBigEndian);
    if (offset + CHUNK_HEADER_BYTES + size > fileBytes) return false;
    offset += CHUNK_HEADER_BYTES + size + (size & 1);
  }
  return true;
}
