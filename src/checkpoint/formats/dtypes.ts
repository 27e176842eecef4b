// Number formats found in checkpoints: their sizes, decoding of little-endian bytes to float32, and the way back.
import { StillwaveError } from "../../errors.ts";

/** Bytes per element. Element types are named as safetensors names them. */
export const DTYPE_BYTES = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U64: 8,
  U32: 4,
  U16: 2,
  U8: 1,
  BOOL: 1,
  F8_E4M3: 1,
  F8_E5M2: 1,
  C64: 8,
} as const;
export type Dtype = keyof typeof DTYPE_BYTES;

export const isDtype = (name: string): name is Dtype => Object.hasOwn(DTYPE_BYTES, name);

export const littleEndianHost = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** Numbers that become float32 as they are. */
const PLAIN_ARRAYS = {
  F64: Float64Array,
  F32: Float32Array,
  I32: Int32Array,
  I16: Int16Array,
  I8: Int8Array,
  U32: Uint32Array,
  U16: Uint16Array,
  U8: Uint8Array,
} as const;

/** Writes the numbers in `bytes` (little-endian `dtype`) to `out`, starting at `start`. `bytes` is whole elements. */
export function decodeInto(out: Float32Array, start: number, bytes: Uint8Array, dtype: Dtype): void {
  const size = DTYPE_BYTES[dtype];
  const usable = littleEndianHost && bytes.byteOffset % size === 0;
  const source = usable ? bytes : swappedCopy(bytes, size);
  const [buffer, byteOffset] = [source.buffer as ArrayBuffer, source.byteOffset];
  const count = bytes.byteLength / size;
  if (dtype === "F16") {
    const [halves, table] = [new Uint16Array(buffer, byteOffset, count), halfValues()];
    for (let i = 0; i < count; i++) out[start + i] = table[halves[i]];
  } else if (dtype === "BF16") {
    const upper = new Uint16Array(buffer, byteOffset, count);
    const bits = new Uint32Array(out.buffer, out.byteOffset, out.length);
    for (let i = 0; i < count; i++) bits[start + i] = upper[i] << 16;
  } else if (dtype === "I64" || dtype === "U64") {
    const integers = new (dtype === "I64" ? BigInt64Array : BigUint64Array)(buffer, byteOffset, count);
    for (let i = 0; i < count; i++) out[start + i] = Number(integers[i]);
  } else if (dtype === "BOOL") {
    for (let i = 0; i < count; i++) out[start + i] = bytes[i] === 0 ? 0 : 1;
  } else if (dtype in PLAIN_ARRAYS) {
    out.set(new PLAIN_ARRAYS[dtype as keyof typeof PLAIN_ARRAYS](buffer, byteOffset, count), start);
  } else {
    throw new StillwaveError(`numbers of type ${dtype} cannot be read; convert the checkpoint to float32 or float16`);
  }
}

/** A copy at an aligned place, in the byte order of this machine. */
function swappedCopy(bytes: Uint8Array, size: number): Uint8Array {
  const copy = new Uint8Array(bytes);
  if (!littleEndianHost) for (let at = 0; at < copy.length; at += size) copy.subarray(at, at + size).reverse();
  return copy;
}

/**
 * float32 numbers as little-endian bytes; those of F32 on a little-endian machine share the memory of `data`.
 * `subject` begins the message for a number beyond float16.
 * @throws StillwaveError
 */
export function encodeFloats(data: Float32Array, dtype: "F32" | "F16", subject: string): Uint8Array {
  const values = dtype === "F16" ? floatsToHalves(data) : data;
  if (values instanceof Uint16Array)
    for (let i = 0; i < values.length; i++)
      if ((values[i] & 0x7fff) === 0x7c00 && Number.isFinite(data[i]))
        throw new StillwaveError(`${subject} ${data[i]}, beyond float16 (65504); write float32 instead`);
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return littleEndianHost ? bytes : swappedCopy(bytes, values.BYTES_PER_ELEMENT);
}

let halfTable: Float32Array | undefined;

/** The value of every half bit pattern. */
function halfValues(): Float32Array {
  halfTable ??= Float32Array.from({ length: 65536 }, (_, pattern) => {
    const exponent = (pattern >> 10) & 31;
    const fraction = pattern & 1023;
    const sign = pattern & 0x8000 ? -1 : 1;
    if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
    return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25);
  });
  return halfTable;
}

/** The value of an IEEE half bit pattern. */
export function halfToFloat(bits: number): number {
  return halfValues()[bits];
}

/** float32 values as they come back after being stored as float16. */
export function roundToHalf(data: Float32Array): Float32Array {
  const halves = floatsToHalves(data);
  const table = halfValues();
  const rounded = new Float32Array(halves.length);
  for (let i = 0; i < rounded.length; i++) rounded[i] = table[halves[i]];
  return rounded;
}

/** The IEEE halves nearest to float32 values (ties to even; infinity beyond the range), as bit patterns. */
export function floatsToHalves(data: Float32Array): Uint16Array {
  const bits = new Uint32Array(data.buffer, data.byteOffset, data.length);
  const halves = new Uint16Array(data.length);
  for (let i = 0; i < halves.length; i++) halves[i] = halfBits(bits[i]);
  return halves;
}

/** From the bit pattern of a float32. */
function halfBits(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude >= 0x38800000) {
    const rounded = magnitude + 0xfff + ((magnitude >>> 13) & 1);
    return sign | ((rounded - 0x38000000) >>> 13);
  }
  // below the smallest normal half: a multiple of 2^-24, from the significand shifted right
  const shift = 126 - (magnitude >>> 23);
  if (shift > 24) return sign;
  const significand = (magnitude & 0x7fffff) | 0x800000;
  const floor = significand >>> shift;
  const rest = significand & ((1 << shift) - 1);
  const half = 1 << (shift - 1);
  return sign | (rest > half || (rest === half && floor & 1) ? floor + 1 : floor);
}
