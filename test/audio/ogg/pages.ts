// Ogg files taken apart and put together again, by code of the tests' own.
import { fixtureBytes } from "../signals.ts";

/** A page as RFC 3533 lays it out; the checksum is made when it is written. */
export interface Page {
  flags: number;
  granule: bigint;
  serial: number;
  sequence: number;
  lacing: Uint8Array;
  body: Uint8Array;
}

export function pagesOf(name: string): Page[] {
  const bytes = Buffer.from(fixtureBytes(name));
  const pages: Page[] = [];
  for (let at = 0; at < bytes.length; ) {
    const lacing = bytes.subarray(at + 27, at + 27 + bytes[at + 26]);
    const start = at + 27 + lacing.length;
    const end = start + lacing.reduce((sum, size) => sum + size, 0);
    pages.push({
      flags: bytes[at + 5],
      granule: bytes.readBigInt64LE(at + 6),
      serial: bytes.readUInt32LE(at + 14),
      sequence: bytes.readUInt32LE(at + 18),
      lacing,
      body: bytes.subarray(start, end),
    });
    at = end;
  }
  return pages;
}

export function oggOf(pages: readonly Page[]): Uint8Array {
  const written = pages.map(({ flags, granule, serial, sequence, lacing, body }) => {
    const header = Buffer.alloc(27);
    header.write("OggS");
    header[5] = flags;
    header.writeBigInt64LE(granule, 6);
    header.writeUInt32LE(serial, 14);
    header.writeUInt32LE(sequence, 18);
    header[26] = lacing.length;
    const page = Buffer.concat([header, lacing, body]);
    page.writeUInt32LE(remainder(page), 22);
    return page;
  });
  return new Uint8Array(Buffer.concat(written));
}

/** Bit by bit, as the RFC describes it. */
function remainder(bytes: Uint8Array): number {
  let value = 0n;
  for (const byte of bytes) {
    value ^= BigInt(byte) << 24n;
    for (let bit = 0; bit < 8; bit++)
      value = value & 0x80000000n ? ((value << 1n) ^ 0x04c11db7n) & 0xffffffffn : value << 1n;
  }
  return Number(value);
}
