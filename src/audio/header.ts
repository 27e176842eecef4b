// What a file's header says of its length, rate and channels, read without decoding and without reading the whole file.
import { open } from "node:fs/promises";
import { checkedSize, readError } from "./decode.ts";
import type { AudioHeader } from "./decoded.ts";
import { parseFlacHeader } from "./flac.ts";
import { detectFormat } from "./format.ts";
import { MAX_PAGE_BYTES } from "./ogg/pages.ts";
import { isOgg, probeOgg, readOgg } from "./ogg/stream.ts";
import { isPcm, pcmHeader } from "./pcm/decode.ts";
import { bytesBeforeAudio, withoutTagsBehind } from "./tags.ts";

/** Bytes that are read first; more where a header turns out to be longer. */
const HEAD_BYTES = 4096;
const GROWTH = 16;
/** Where Ogg's headers and its first page of audio usually end. */
const OGG_HEAD_BYTES = 65536;

/** Holds the last page, be it as large as pages get, and some tags behind it. */
const OGG_TAIL_BYTES = 2 * MAX_PAGE_BYTES;

/** A file of which parts are read. */
interface PartialFile {
  readonly size: number;
  /** At most `count` bytes: fewer where the file ends. */
  read(position: number, count: number): Promise<Uint8Array>;
}

/**
 * The header of a file; undefined where only decoding would tell (MP3, AAC, M4A, unusual beginnings).
 * @throws StillwaveError naming the file if it cannot be read, its header is damaged, or truncation is visible from it.
 */
export async function readHeader(path: string): Promise<AudioHeader | undefined> {
  let file: Awaited<ReturnType<typeof open>> | undefined;
  try {
    file = await open(path, "r");
    const opened = file;
    const size = checkedSize(await opened.stat(), path);
    const read = async (position: number, count: number) => {
      const length = Math.max(0, Math.min(count, size - position));
      const { buffer, bytesRead } = await opened.read(Buffer.alloc(length), 0, length, position);
      return new Uint8Array(buffer.buffer, buffer.byteOffset, bytesRead);
    };
    return await headerOf({ size, read }, path);
  } catch (error) {
    throw readError(error, path);
  } finally {
    await file?.close();
  }
}

async function headerOf(file: PartialFile, path: string): Promise<AudioHeader | undefined> {
  const found = await behindTags(file);
  if (!found) return undefined;
  const { audio, head } = found;
  const format = detectFormat(head, path);
  if (isPcm(format)) return growing(audio, HEAD_BYTES, (bytes) => pcmHeader(format)(bytes, audio.size, path));
  if (format === "flac") {
    const header = parseFlacHeader(head, path);
    return header.samples > 0 ? header : undefined;
  }
  // the headers of MP3, AAC and M4A do not say the length reliably
  if (!isOgg(format)) return undefined;
  const tail = withoutTagsBehind(await audio.read(Math.max(0, audio.size - OGG_TAIL_BYTES), OGG_TAIL_BYTES));
  return growing(audio, OGG_HEAD_BYTES, (bytes) =>
    bytes.length < audio.size
      ? probeOgg(format, bytes, tail, path)
      : readOgg(format, withoutTagsBehind(bytes), path).header,
  );
}

/** The file from behind its tags on, with its first bytes; undefined where these are not found in the first ones read. */
async function behindTags(
  file: PartialFile,
): Promise<{ readonly audio: PartialFile; readonly head: Uint8Array } | undefined> {
  let start = 0;
  for (;;) {
    const from = start;
    const head = await file.read(from, HEAD_BYTES);
    const skipped = bytesBeforeAudio(head);
    if (skipped === 0) {
      if (from > 0 && head.length === 0) return undefined;
      // what follows so many zeros lies further on, or begins right at the end
      if (head.length === HEAD_BYTES && head.subarray(0, -16).every((byte) => byte === 0)) return undefined;
      return { audio: { size: file.size - from, read: (at, count) => file.read(from + at, count) }, head };
    }
    start += skipped;
  }
}

/** What `parse` makes of the first bytes: of more and more of them, up to the whole file, while it returns undefined. */
async function growing<T>(
  file: PartialFile,
  firstCount: number,
  parse: (bytes: Uint8Array) => T | undefined,
): Promise<T | undefined> {
  for (let count = firstCount; ; count *= GROWTH) {
    const bytes = await file.read(0, count);
    const found = parse(bytes);
    if (found !== undefined || bytes.length >= file.size) return found;
  }
}
