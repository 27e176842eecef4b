// Writes FLAC without compression: 16 kHz, 16 bits, one channel, verbatim subframes, fixed or variable blocks.
import { crc8, crc16 } from "../../src/audio/flac/bits.ts";

/** UTF-8 like code of a frame or sample number. */
function coded(number: number): number[] {
  if (number < 128) return [number];
  let count = 2;
  while (number >= 2 ** (5 * count + 1)) count++;
  const rest = Array.from({ length: count - 1 }, (_, i) => 0x80 | (Math.floor(number / 64 ** (count - 2 - i)) & 63));
  return [((0xff << (8 - count)) & 0xff) | Math.floor(number / 64 ** (count - 1)), ...rest];
}

export interface VerbatimOptions {
  readonly block: number;
  /** Blocks of half and whole length in turn, numbered by samples. */
  readonly isVariable?: boolean;
  /** Of the first frame; default 0. */
  readonly firstFrame?: number;
}

export function verbatimFlac(values: Int16Array, options: VerbatimOptions): Uint8Array {
  const { block, isVariable = false, firstFrame = 0 } = options;
  const info = new DataView(new ArrayBuffer(34));
  info.setUint16(0, isVariable ? block / 2 : block);
  info.setUint16(2, block);
  info.setUint32(10, (16000 << 12) | (15 << 4));
  info.setUint32(14, values.length);
  const parts: Uint8Array[] = [Uint8Array.from([0x66, 0x4c, 0x61, 0x43, 0x80, 0, 0, 34]), new Uint8Array(info.buffer)];
  for (let at = 0, frame = 0; at < values.length; frame++) {
    const samples = values.subarray(at, at + (isVariable && frame % 2 === 0 ? block / 2 : block));
    const length = samples.length - 1;
    const number = coded(isVariable ? at : firstFrame + frame);
    const header = [0xff, isVariable ? 0xf9 : 0xf8, 0x75, 0x08, ...number, length >> 8, length & 255];
    const body = Buffer.alloc(header.length + 2 + 2 * samples.length + 2);
    body.set([...header, crc8(Uint8Array.from(header), header.length), 0x02]);
    for (const [i, value] of samples.entries()) body.writeInt16BE(value, header.length + 2 + 2 * i);
    body.writeUInt16BE(crc16(body, body.length - 2), body.length - 2);
    parts.push(body);
    at += samples.length;
  }
  return new Uint8Array(Buffer.concat(parts));
}
