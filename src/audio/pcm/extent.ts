// How many samples a file of uncompressed audio holds: what its header declares, or all up to its end where the writer
// streamed and could not come back to fill in the true size.
import { StillwaveError } from "../../errors.ts";
import { checkedHeader } from "../decoded.ts";
import { bytesPerFrame, type PcmFormat, type PcmLayout } from "./samples.ts";

/**
 * The least size of data that stands for "unknown", before it is cut to whole frames: programs write some value just below
 * 2 GiB (sox 0x7f000000 for AIFF and 0x7ffff000 for WAV) or up to 4 GiB. Files that are read are smaller than 2 GiB, and a size below this one
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
  const isUnknown =
    declaredBytes === 0
      ? !isFollowed
      : declaredBytes >= LEAST_UNKNOWN_BYTES - (LEAST_UNKNOWN_BYTES % bytesPerFrame(format));
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

/** Chunks that programs put behind the samples of WAV and AIFF files. */
const CHUNKS_BEHIND: ReadonlySet<string> = new Set([
  ...["LIST", "id3 ", "ID3 ", "bext", "cue ", "fact", "PEAK", "JUNK", "junk", "PAD ", "FLLR", "smpl", "inst", "plst"],
  ...["iXML", "axml", "chna", "_PMX", "DISP", "cart", "acid", "afsp", "umid", "levl", "qlty", "strc", "note", "labl"],
  ...["ANNO", "COMT", "NAME", "AUTH", "(c) ", "MARK", "INST", "MIDI", "APPL", "AESD", "CHAN", "SAXL", "COMM", "FVER"],
]);

/**
 * Whether chunks and no audio lie from `at` on: one of the usual names, or four printable letters, a size and so many bytes,
 * padded to an even number, up to the end of the file. Undefined if `bytes`, the start of the file, ends before that is clear.
 */
export function isChunks(view: DataView, at: number, fileBytes: number, isBigEndian: boolean): boolean | undefined {
  let offset = at;
  while (offset + CHUNK_HEADER_BYTES <= fileBytes) {
    if (offset + CHUNK_HEADER_BYTES > view.byteLength) return undefined;
    const name = String.fromCharCode(...[0, 1, 2, 3].map((i) => view.getUint8(offset + i)));
    if (CHUNKS_BEHIND.has(name)) return true;
    const end = offset + CHUNK_HEADER_BYTES + view.getUint32(offset + 4, !isBigEndian);
    if (!/^[ -~]{4}$/.test(name) || end > fileBytes) return false;
    offset = end + (end & 1);
  }
  return offset > at;
}
