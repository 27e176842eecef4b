// Ogg pages (RFC 3533): found, checked for damage, and written.
import { StillwaveError } from "../../errors.ts";
import { textAt } from "../format.ts";

/** Largest page: 27 header bytes, 255 lacing values, 255 * 255 bytes of packets. */
export const MAX_PAGE_BYTES = 27 + 255 + 255 * 255;

const HEADER_BYTES = 27;
const MAX_SEGMENTS = 255;
/** Bits of a page's flags. */
const CONTINUED = 1;
const FIRST = 2;
const LAST = 4;

export interface OggPage {
  /** Whether its first packet began on the page before. */
  readonly isContinued: boolean;
  readonly isFirst: boolean;
  /** Whether it says that the stream ends with it. */
  readonly isLast: boolean;
  /** Position in samples after the last packet that ends on this page; undefined where none does. */
  readonly granule: number | undefined;
  readonly serial: number;
  readonly sequence: number;
  /** The packets on this page, the first and the last one perhaps only in part. */
  readonly pieces: readonly Uint8Array[];
  /** Whether the last piece goes on on the next page. */
  readonly isOpen: boolean;
  /** Where it ends, in bytes. */
  readonly end: number;
}

/** Whether a page begins at byte `at`. */
export const isPageAt = (bytes: Uint8Array, at: number) => textAt(bytes, at, "OggS\0");

/** Where the page at `at` ends; undefined if its header goes on beyond `bytes`. */
export function endOfPage(bytes: Uint8Array, at: number): number | undefined {
  const body = at + HEADER_BYTES + (bytes[at + 26] ?? 0);
  if (at + HEADER_BYTES > bytes.length || body > bytes.length) return undefined;
  let end = body;
  for (let i = at + HEADER_BYTES; i < body; i++) end += bytes[i];
  return end;
}

/** Reads the page at `at`, which lies in `bytes` whole. @throws StillwaveError if its checksum is wrong. */
export function readPage(bytes: Uint8Array, at: number, path: string): OggPage {
  const body = at + HEADER_BYTES + bytes[at + 26];
  const lacing = bytes.subarray(at + HEADER_BYTES, body);
  const pieces: Uint8Array[] = [];
  let [start, end] = [body, body];
  for (const [i, size] of lacing.entries()) {
    end += size;
    if (size === 255 && i < lacing.length - 1) continue;
    pieces.push(bytes.subarray(start, end));
    start = end;
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, HEADER_BYTES);
  if (checksum(bytes.subarray(at, end)) !== view.getUint32(22, true))
    throw new StillwaveError(
      `${path}: damaged: the Ogg page at byte ${at} does not have its checksum; fetch or convert it again`,
    );
  const flags = bytes[at + 5];
  const granule = Number(view.getBigInt64(6, true));
  return {
    isContinued: (flags & CONTINUED) !== 0,
    isFirst: (flags & FIRST) !== 0,
    isLast: (flags & LAST) !== 0,
    // some writers end a stream with an empty page at position 0
    granule: granule < 0 || (granule === 0 && pieces.length === 0) ? undefined : granule,
    serial: view.getUint32(14, true),
    sequence: view.getUint32(18, true),
    pieces,
    isOpen: lacing.at(-1) === 255,
    end,
  };
}

/** Pages that hold `packets` one after another, whole, without positions and without an end mark. */
export function writePages(packets: readonly Uint8Array[], serial: number): Uint8Array {
  const pages: Uint8Array[] = [];
  for (const packet of packets) {
    const sizes = Array.from({ length: Math.floor(packet.length / 255) + 1 }, (_, i) =>
      Math.min(255, packet.length - 255 * i),
    );
    for (let from = 0; from < sizes.length; from += MAX_SEGMENTS) {
      const lacing = sizes.slice(from, from + MAX_SEGMENTS);
      const endsPacket = from + MAX_SEGMENTS >= sizes.length;
      const body = packet.subarray(255 * from, 255 * (from + lacing.length));
      const page = Buffer.alloc(HEADER_BYTES + lacing.length + body.length);
      page.write("OggS");
      page[5] = (from > 0 ? CONTINUED : 0) | (pages.length === 0 ? FIRST : 0);
      page.writeBigInt64LE(endsPacket ? 0n : -1n, 6);
      page.writeUInt32LE(serial, 14);
      page.writeUInt32LE(pages.length, 18);
      page[26] = lacing.length;
      page.set(lacing, HEADER_BYTES);
      page.set(body, HEADER_BYTES + lacing.length);
      page.writeUInt32LE(checksum(page), 22);
      pages.push(page);
    }
  }
  return Buffer.concat(pages);
}

/** Remainders of all bytes by the polynomial 0x04c11db7, most significant bit first. */
const REMAINDERS = Int32Array.from({ length: 256 }, (_, byte) => {
  let value = byte << 24;
  for (let bit = 0; bit < 8; bit++) value = value < 0 ? (value << 1) ^ 0x04c11db7 : value << 1;
  return value;
});

/** The checksum of a page, its own four bytes (22 to 25) taken as zeros. */
function checksum(page: Uint8Array): number {
  let value = 0;
  for (let i = 0; i < page.length; i++) {
    const byte = i >= 22 && i < 26 ? 0 : page[i];
    value = (value << 8) ^ REMAINDERS[(value >>> 24) ^ byte];
  }
  return value >>> 0;
}
