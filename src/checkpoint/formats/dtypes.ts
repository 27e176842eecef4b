// Number formats found in checkpoints: their sizes, and decoding of little-endian bytes to float32 or float64.
import { StillwaveError, unknownName } from "../../errors.ts";

/** Element types, named as safetensors names them. */
export type Dtype =
  | "F64"
  | "F32"
  | "F16"
  | "BF16"
  | "I64"
  | "I32"
  | "I16"
  | "I8"
  | "U64"
  | "U32"
  | "U16"
  | "U8"
  | "BOOL"
  | "F8_E4M3"
  | "F8_E5M2"
  | "C64";

/** Bytes per element. */
export const DTYPE_BYTES: Readonly<Record<Dtype, number>> = {
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
};

/** The dtype called `name`; throws with the valid names otherwise. */
export function dtypeNamed(name: string): Dtype {
  if (Object.hasOwn(DTYPE_BYTES, name)) return name as Dtype;
  throw unknownName("dtype", name, Object.keys(DTYPE_BYTES));
}

export const littleEndianHost = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** Writes the numbers in `bytes` (little-endian `dtype`) to `out`, starting at `start`. `bytes` is whole elements. */
export function decodeInto(out: Float32Array | Float64Array, start: number, bytes: Uint8Array, dtype: Dtype): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = bytes.byteLength / DTYPE_BYTES[dtype];
  switch (dtype) {
    case "F32":
      if (out instanceof Float32Array && littleEndianHost)
        new Uint8Array(out.buffer, out.byteOffset + start * 4, bytes.byteLength).set(bytes);
      else for (let i = 0; i < count; i++) out[start + i] = view.getFloat32(i * 4, true);
      return;
    case "F64":
      for (let i = 0; i < count; i++) out[start + i] = view.getFloat64(i * 8, true);
      return;
    case "F16": {
      const table = halfValues();
      if (littleEndianHost && bytes.byteOffset % 2 === 0) {
        const halves = new Uint16Array(bytes.buffer, bytes.byteOffset, count);
        for (let i = 0; i < count; i++) out[start + i] = table[halves[i]];
      } else for (let i = 0; i < count; i++) out[start + i] = table[view.getUint16(i * 2, true)];
      return;
    }
    case "BF16":
      for (let i = 0; i < count; i++) out[start + i] = bfloatToFloat(view.getUint16(i * 2, true));
      return;
    case "I64":
      for (let i = 0; i < count; i++) out[start + i] = Number(view.getBigInt64(i * 8, true));
      return;
    case "U64":
      for (let i = 0; i < count; i++) out[start + i] = Number(view.getBigUint64(i * 8, true));
      return;
    case "I32":
      for (let i = 0; i < count; i++) out[start + i] = view.getInt32(i * 4, true);
      return;
    case "U32":
      for (let i = 0; i < count; i++) out[start + i] = view.getUint32(i * 4, true);
      return;
    case "I16":
      for (let i = 0; i < count; i++) out[start + i] = view.getInt16(i * 2, true);
      return;
    case "U16":
      for (let i = 0; i < count; i++) out[start + i] = view.getUint16(i * 2, true);
      return;
    case "I8":
      for (let i = 0; i < count; i++) out[start + i] = view.getInt8(i);
      return;
    case "U8":
      for (let i = 0; i < count; i++) out[start + i] = bytes[i];
      return;
    case "BOOL":
      for (let i = 0; i < count; i++) out[start + i] = bytes[i] === 0 ? 0 : 1;
      return;
    default:
      throw new StillwaveError(`numbers of type ${dtype} cannot be read; convert the checkpoint to float32 or float16`);
  }
}

const words = new Uint32Array(1);
const floats = new Float32Array(words.buffer);

/** The float32 value of a bfloat16 bit pattern. */
export function bfloatToFloat(bits: number): number {
  words[0] = bits << 16;
  return floats[0];
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

/** The IEEE half bit pattern nearest to `value` (ties to even); infinity beyond the range. */
export function floatToHalf(value: number): number {
  floats[0] = value;
  return halfBits(words[0]);
}

/** The halves nearest to float32 values, as bit patterns. */
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
  // Below the smallest normal half: a multiple of 2^-24, from the significand shifted right.
  const shift = 126 - (magnitude >>> 23);
  if (shift > 24) return sign;
  const significand = (magnitude & 0x7fffff) | 0x800000;
  const floor = significand >>> shift;
  const rest = significand & ((1 << shift) - 1);
  const half = 1 << (shift - 1);
  return sign | (rest > half || (rest === half && floor & 1) ? floor + 1 : floor);
}
