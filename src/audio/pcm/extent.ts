// How many samples a file of uncompressed audio holds: what its header declares, or all up to its end where the writer
// streamed and could not come back to fill in the true size.
import { checkedHeader } from "../decoded.ts";
import { bytesPerFrame, type PcmFormat, type PcmLayout } from "./samples.ts";

/**
 * The least size of data that stands for "unknown", before it is cut to whole frames: programs write some value just below
 * 2 GiB (sox 0x7f000000 for AIFF and 0x7ffff000 for WAV) or up to 4 GiB, and files that are read are smaller than 2 GiB. A
 * smaller size that the file does not hold may be what a writer of a stream planned, or its end is missing: a note says so.
 */
const LEAST_UNKNOWN_BYTES = 0x7f000000;

/** Where the data begins, and the bytes that the header says it has. */
export interface DeclaredData {
  readonly dataOffset: number;
  /** 0, and more than the file holds, mean "up to the end of the file". */
  readonly declaredBytes: number;
  readonly fileBytes: number;
  /** Whether something else follows data of 0 bytes: then there are none, and what follows is no audio. */
  readonly isFollowed?: boolean;
}

/** @throws StillwaveError if there are too many samples. */
export function layOut(format: PcmFormat, data: DeclaredData, path: string): PcmLayout {
  const { dataOffset, declaredBytes, fileBytes, isFollowed = false } = data;
  const available = Math.max(0, fileBytes - dataOffset);
  const isStreamed = declaredBytes === 0 ? !isFollowed : declaredBytes > available;
  const frameBytes = bytesPerFrame(format);
  const samples = Math.floor((isStreamed ? available : declaredBytes) / frameBytes);
  checkedHeader({ ...format, samples }, path);
  if (!isStreamed) return { ...format, samples, dataOffset };
  const isUnknown = declaredBytes === 0 || declaredBytes >= LEAST_UNKNOWN_BYTES - (LEAST_UNKNOWN_BYTES % frameBytes);
  const seconds = (bytes: number) => (bytes / frameBytes / format.sampleRateHz).toFixed(1);
  const note = `its header says ${seconds(declaredBytes)} s, the file holds ${seconds(available)} s: it was streamed, or its end is missing`;
  return { ...format, samples, dataOffset, isStreamed, note: isUnknown ? undefined : note };
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

/**
 * `layout` without the chunks that some writers put behind samples whose size they left unknown: chunks of the usual names,
 * one after another, the last of which ends where the file ends.
 * @param tail the last bytes of the file
 */
export function withoutChunksBehind(layout: PcmLayout, tail: Uint8Array, fileBytes: number): PcmLayout {
  if (!layout.isStreamed) return layout;
  const view = new DataView(tail.buffer, tail.byteOffset, tail.byteLength);
  const start = fileBytes - tail.length;
  // a chunk may hold others, the last of which ends where it does: the outermost counts
  const ends = new Set([tail.length]);
  let end = tail.length;
  for (let at = end - CHUNK_HEADER_BYTES; at >= Math.max(0, layout.dataOffset - start); at--) {
    const fits = [true, false].some((isLittleEndian) => {
      const size = view.getUint32(at + 4, isLittleEndian);
      const after = at + CHUNK_HEADER_BYTES + size;
      return ends.has(after) || ends.has(after + (size & 1));
    });
    if (!fits || !CHUNKS_BEHIND.has(String.fromCharCode(...tail.subarray(at, at + 4)))) continue;
    ends.add(at);
    end = at;
  }
  const samples = Math.floor(Math.max(0, start + end - layout.dataOffset) / bytesPerFrame(layout));
  return samples < layout.samples ? { ...layout, samples } : layout;
}
