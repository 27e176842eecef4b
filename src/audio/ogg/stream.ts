// An Ogg file of one Opus, Vorbis or FLAC stream: read whole, or its length from its first and last pages.
// Read here because decoders tell neither that pages are missing or damaged nor where a stream starts.
import { StillwaveError } from "../../errors.ts";
import type { AudioHeader } from "../decoded.ts";
import { endOfPage, isPageAt, type OggPage, readPage, writePages } from "./pages.ts";
import { AGAIN, FLAC_MAPPING_BYTES, type OggFormat, OggReader } from "./reader.ts";

export type { OggFormat } from "./reader.ts";

const NO_END = "its Ogg stream has no end mark, so its end may be missing";

export const isOgg = (format: string): format is OggFormat => format.startsWith("ogg-");

/** A whole stream. */
export interface OggStream {
  readonly header: AudioHeader;
  readonly headers: readonly Uint8Array[];
  /** Packets of audio. */
  readonly packets: readonly Uint8Array[];
  /** Decoded samples before the first of the `header.samples` that count. */
  readonly skip: number;
}

/**
 * Reads a whole file, without the tags around it.
 * @throws StillwaveError for a page that is missing, cut or damaged, or of another stream
 */
export function readOgg(format: OggFormat, bytes: Uint8Array, path: string): OggStream {
  const reader = new OggReader(format, path);
  let last: OggPage | undefined;
  for (const page of wholePages(bytes, 0, path)) {
    reader.add(page);
    last = page;
  }
  const notes = [...reader.notes, ...notesOnEnd(bytes, last, path)];
  const { header, skip } = reader.finish();
  const { headers, packets } = reader;
  return { header: { ...header, note: joined(notes) }, headers, packets, skip };
}

/** The stream again as an Ogg file, with nothing around it, no positions and no end mark, so that a decoder gives all it holds. */
export const plainOgg = ({ headers, packets }: OggStream): Uint8Array => writePages([...headers, ...packets], 1);

/** The native FLAC stream inside: its packets one after another, without the header of the mapping. */
export const flacOf = ({ headers: [first, ...others], packets }: OggStream): Uint8Array =>
  Buffer.concat([first.subarray(FLAC_MAPPING_BYTES), ...others, ...packets]);

/**
 * Length, rate and channels from the first pages of a file and its last ones. Undefined where these do not tell.
 * @param head the first bytes; @param tail the last ones, without tags behind the audio
 * @throws StillwaveError as `readOgg`, as far as these pages show it
 */
export function probeOgg(format: OggFormat, head: Uint8Array, tail: Uint8Array, path: string): AudioHeader | undefined {
  const reader = new OggReader(format, path);
  let first: OggPage | undefined;
  for (const page of wholePages(head, 0, path)) {
    reader.add(page);
    first = page;
    if (reader.startGranule !== undefined) break;
  }
  const { startGranule: start } = reader;
  if (!first || start === undefined) return undefined;
  const pages = [...wholePages(tail, firstPageOf(first.serial, tail), path)];
  const end = pages.findLast(({ granule }) => granule !== undefined)?.granule;
  if (end === undefined) return undefined;
  for (const { serial } of pages) reader.checkSerial(serial);
  const notes = [...reader.notes, ...notesOnEnd(tail, pages.at(-1), path)];
  return { ...reader.header(start, end), note: joined(notes) };
}

const joined = (notes: readonly string[]) => (notes.length > 0 ? notes.join("; ") : undefined);

/** The pages one after another from `at` on, as long as they lie in `bytes` whole. @throws StillwaveError for a damaged one. */
function* wholePages(bytes: Uint8Array, at: number, path: string): Generator<OggPage> {
  let next = at;
  while (isPageAt(bytes, next) && (endOfPage(bytes, next) ?? Number.POSITIVE_INFINITY) <= bytes.length) {
    const page = readPage(bytes, next, path);
    yield page;
    next = page.end;
  }
}

/** Where the first page of a stream begins in `bytes`, which may begin inside another page; their end where none does. */
function firstPageOf(serial: number, bytes: Uint8Array): number {
  for (let at = 0; at < bytes.length; at++) if (isPageAt(bytes, at) && wordAt(bytes, at + 14) === serial) return at;
  return bytes.length;
}

const wordAt = (bytes: Uint8Array, at: number): number | undefined =>
  at + 4 <= bytes.length ? new DataView(bytes.buffer, bytes.byteOffset + at).getUint32(0, true) : undefined;

/**
 * What there is to say about the end of a stream: no mark on its last page, bytes behind it that are no part of it.
 * @throws StillwaveError if these are a page that is cut or damaged, or if pages follow them
 */
function notesOnEnd(bytes: Uint8Array, last: OggPage | undefined, path: string): string[] {
  const at = last?.end ?? 0;
  const rest = bytes.subarray(at);
  const notes = last?.isLast ? [] : [NO_END];
  if (rest.length === 0) return notes;
  if (!last || isPageAt(rest, 0) || "OggS\0".startsWith(String.fromCharCode(...rest.subarray(0, 5))))
    throw new StillwaveError(`${path}: truncated: its last Ogg page is cut; ${AGAIN}`);
  const isDamagedPage = wordAt(rest, 14) === last.serial && wordAt(rest, 18) === last.sequence + 1;
  if (isDamagedPage || firstPageOf(last.serial, rest) < rest.length)
    throw new StillwaveError(`${path}: damaged: no Ogg page where one should follow, at byte ${at}; ${AGAIN}`);
  return [...notes, `${rest.length} bytes behind its last Ogg page are not read`];
}
