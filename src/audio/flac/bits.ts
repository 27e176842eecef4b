// The bits of a FLAC frame, read from the most significant on, and the checksums over its bytes (RFC 9639 section 9).

/** A damaged frame; the caller knows the file and says where. */
export class FlacFrameError extends Error {}

/** Bits of one frame, most significant first. Reads past the end give zeros; `bit` then exceeds `limit`. */
export class FrameBits {
  readonly bytes: Uint8Array;
  /** Next bit, counted from the start of `bytes`. */
  bit = 0;
  readonly limit: number;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.limit = bytes.length * 8;
  }

  /** The next 32 bits, without moving. */
  window(): number {
    const { bytes } = this;
    const at = this.bit >>> 3;
    const shift = this.bit & 7;
    const word = (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
    return shift === 0 ? word : (word << shift) | (bytes[at + 4] >> (8 - shift));
  }

  /** `count` bits (0 to 32) as an unsigned number. */
  unsigned(count: number): number {
    if (count === 0) return 0;
    const value = this.window() >>> (32 - count);
    this.bit += count;
    return value;
  }

  /** `count` bits (0 to 32) as a two's complement number. */
  signed(count: number): number {
    if (count === 0) return 0;
    const value = this.window() >> (32 - count);
    this.bit += count;
    return value;
  }

  /** Zeros up to the next one bit, which is read too. */
  unary(): number {
    let zeros = 0;
    for (;;) {
      const leading = Math.clz32(this.window());
      if (leading < 32) {
        this.bit += leading + 1;
        return zeros + leading;
      }
      zeros += 32;
      this.bit += 32;
      if (this.bit > this.limit) throw new FlacFrameError("the file ends inside a frame");
    }
  }
}

/** Remainders of all bytes in a checksum of `width` bits whose polynomial is `polynomial` (its highest power left out). */
function remainders(polynomial: number, width: number): Uint16Array {
  const top = 1 << (width - 1);
  return Uint16Array.from({ length: 256 }, (_, byte) => {
    let value = byte << (width - 8);
    for (let bit = 0; bit < 8; bit++) value = value & top ? (value << 1) ^ polynomial : value << 1;
    return value & (2 * top - 1);
  });
}

/** x^8 + x^2 + x + 1 */
const CRC8 = remainders(0x07, 8);
/** x^16 + x^15 + x^2 + 1 */
const CRC16 = remainders(0x8005, 16);

/** Checksum of the first `count` bytes. */
export function crc8(bytes: Uint8Array, count: number): number {
  let value = 0;
  for (let i = 0; i < count; i++) value = CRC8[value ^ bytes[i]];
  return value;
}

/** Checksum of the first `count` bytes. */
export function crc16(bytes: Uint8Array, count: number): number {
  let value = 0;
  for (let i = 0; i < count; i++) value = ((value << 8) & 0xffff) ^ CRC16[(value >>> 8) ^ bytes[i]];
  return value;
}
