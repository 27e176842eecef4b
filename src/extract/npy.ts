// NumPy's .npy files (version 1.0, little-endian, row-major): float32 and float16 out, any float in.
import { open } from "node:fs/promises";
import { floatsToHalves } from "../checkpoint/index.ts";
import { StillwaveError } from "../errors.ts";
import type { HostArray } from "../graph/array.ts";
import { sizeOf } from "../graph/array.ts";

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
const MAX_HEADER_BYTES = 65535;
/** 1 GiB of float32 once read. */
const MAX_ELEMENTS = 2 ** 28;

export type NpyDtype = "float32" | "float16";

/** The bytes of a .npy file. Values must be finite where they are stored as float16: beyond 65504 is the caller's to check. */
export function encodeNpy({ shape, data }: HostArray, dtype: NpyDtype = "float32"): Uint8Array {
  const tuple = `(${shape.join(", ")}${shape.length === 1 ? "," : ""})`;
  const text = `{'descr': '${dtype === "float16" ? "<f2" : "<f4"}', 'fortran_order': False, 'shape': ${tuple}, }`;
  const start = Math.ceil((10 + text.length + 1) / 64) * 64;
  const size = dtype === "float16" ? 2 : 4;
  const bytes = new Uint8Array(start + data.length * size);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC);
  bytes.set([1, 0], 6);
  view.setUint16(8, start - 10, true);
  bytes.set(new TextEncoder().encode(`${text.padEnd(start - 11)}\n`), 10);
  if (dtype === "float16") {
    const halves = floatsToHalves(data);
    for (let i = 0; i < halves.length; i++) view.setUint16(start + 2 * i, halves[i], true);
  } else for (let i = 0; i < data.length; i++) view.setFloat32(start + 4 * i, data[i], true);
  return bytes;
}

/**
 * Reads a .npy file of floats (2, 4 or 8 bytes) in row-major order, as float32.
 * @throws StillwaveError naming the file
 */
export async function readNpy(path: string): Promise<HostArray> {
  const fail = (text: string): never => {
    throw new StillwaveError(`${path}: not a usable .npy file: ${text}`);
  };
  const file = await open(path, "r").catch((error: NodeJS.ErrnoException) => {
    throw new StillwaveError(`${path}: cannot be opened (${error.code})`);
  });
  try {
    const { size } = await file.stat();
    const read = async (position: number, length: number): Promise<DataView> => {
      if (position + length > size) fail("the file is truncated");
      const bytes = Buffer.alloc(length);
      await file.read(bytes, 0, length, position);
      return new DataView(bytes.buffer, bytes.byteOffset, length);
    };
    const first = await read(0, 12);
    if (MAGIC.some((byte, i) => first.getUint8(i) !== byte)) fail("it does not begin as one");
    const long = first.getUint8(6) >= 2;
    const length = long ? first.getUint32(8, true) : first.getUint16(8, true);
    if (length > MAX_HEADER_BYTES) fail(`a header of ${length} bytes`);
    const start = long ? 12 : 10;
    const header = await read(start, length);
    const text = new TextDecoder("latin1").decode(new Uint8Array(header.buffer, header.byteOffset, length));
    const { shape, bytes } = parseHeader(text, fail);
    const count = sizeOf(shape);
    if (!(count <= MAX_ELEMENTS)) fail(`shape [${shape}] is too large`);
    if (start + length + count * bytes !== size)
      fail(`shape [${shape}] needs ${count * bytes} bytes, the file has ${size - start - length}`);
    const view = await read(start + length, count * bytes);
    const data = new Float32Array(count);
    for (let i = 0; i < count; i++)
      data[i] = bytes === 8 ? view.getFloat64(8 * i, true) : bytes === 4 ? view.getFloat32(4 * i, true) : half(view, i);
    return { shape, data };
  } finally {
    await file.close();
  }
}

function parseHeader(text: string, fail: (text: string) => never): { shape: number[]; bytes: number } {
  const descr = /'descr': *'([^']*)'/.exec(text)?.[1];
  const order = /'fortran_order': *(True|False)/.exec(text)?.[1];
  const tuple = /'shape': *\(([\d, ]*)\)/.exec(text)?.[1];
  if (descr === undefined || order === undefined || tuple === undefined) return fail("its header is broken");
  const bytes = { "<f2": 2, "<f4": 4, "<f8": 8 }[descr];
  if (!bytes) return fail(`numbers of type ${descr}; float16, float32 and float64 (little-endian) are read`);
  const shape = tuple.split(",").flatMap((item) => (item.trim() === "" ? [] : [Number(item)]));
  if (shape.length > 32 || shape.some((dim) => !Number.isSafeInteger(dim))) return fail(`shape (${tuple})`);
  if (order === "True" && shape.length > 1) return fail("column-major order; save it with numpy.ascontiguousarray");
  return { shape, bytes };
}

function half(view: DataView, i: number): number {
  const bits = view.getUint16(2 * i, true);
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  const sign = bits & 0x8000 ? -1 : 1;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25);
}
