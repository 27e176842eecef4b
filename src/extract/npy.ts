// NumPy's .npy files (version 1.0, little-endian, row-major): float32 and float16 out, any float in.
// Ours because the format is one line of header before raw numbers, and npyjs reads no Buffer of Node's.
import { open } from "node:fs/promises";
import { DTYPE_BYTES, type Dtype, decodeInto, encodeFloats } from "../checkpoint/formats/dtypes.ts";
import { StillwaveError } from "../errors.ts";
import type { HostArray } from "../graph/array.ts";
import { sizeOf } from "../graph/array.ts";

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
const MAX_HEADER_BYTES = 65535;
/** 1 GiB of float32 once read. */
const MAX_ELEMENTS = 2 ** 28;

type NpyDtype = "float32" | "float16";

/** What stands before the numbers of a .npy file. */
export function npyHead(shape: readonly number[], dtype: NpyDtype): Uint8Array {
  const tuple = `(${shape.join(", ")}${shape.length === 1 ? "," : ""})`;
  const text = `{'descr': '${dtype === "float16" ? "<f2" : "<f4"}', 'fortran_order': False, 'shape': ${tuple}, }`;
  const start = Math.ceil((10 + text.length + 1) / 64) * 64;
  const bytes = new Uint8Array(start);
  bytes.set(MAGIC);
  bytes.set([1, 0], 6);
  new DataView(bytes.buffer).setUint16(8, start - 10, true);
  bytes.set(new TextEncoder().encode(`${text.padEnd(start - 11)}\n`), 10);
  return bytes;
}

/** The bytes of a .npy file. @throws StillwaveError where float16 cannot hold a value */
export function encodeNpy({ shape, data }: HostArray, dtype: NpyDtype = "float32"): Uint8Array {
  const values = encodeFloats(data, dtype === "float16" ? "F16" : "F32", "the states hold");
  return Buffer.concat([npyHead(shape, dtype), values]);
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
    const read = async (position: number, length: number): Promise<Buffer> => {
      if (position + length > size) fail("the file is truncated");
      return (await file.read(Buffer.alloc(length), 0, length, position)).buffer;
    };
    const first = await read(0, 12);
    if (MAGIC.some((byte, i) => first[i] !== byte)) fail("it does not begin as one");
    const long = first[6] >= 2;
    const length = long ? first.readUInt32LE(8) : first.readUInt16LE(8);
    if (length > MAX_HEADER_BYTES) fail(`a header of ${length} bytes`);
    const start = long ? 12 : 10;
    const { shape, dtype } = parseHeader((await read(start, length)).toString("latin1"), fail);
    const bytes = DTYPE_BYTES[dtype];
    const count = sizeOf(shape);
    if (!(count <= MAX_ELEMENTS)) fail(`shape [${shape}] is too large`);
    if (start + length + count * bytes !== size)
      fail(`shape [${shape}] needs ${count * bytes} bytes, the file has ${size - start - length}`);
    const data = new Float32Array(count);
    decodeInto(data, 0, await read(start + length, count * bytes), dtype);
    return { shape, data };
  } finally {
    await file.close();
  }
}

function parseHeader(text: string, fail: (text: string) => never): { shape: number[]; dtype: Dtype } {
  const descr = /'descr': *'([^']*)'/.exec(text)?.[1];
  const order = /'fortran_order': *(True|False)/.exec(text)?.[1];
  const tuple = /'shape': *\(([\d, ]*)\)/.exec(text)?.[1];
  if (descr === undefined || order === undefined || tuple === undefined) return fail("its header is broken");
  const dtype = ({ "<f2": "F16", "<f4": "F32", "<f8": "F64" } as const)[descr];
  if (!dtype) return fail(`numbers of type ${descr}; float16, float32 and float64 (little-endian) are read`);
  const shape = tuple.split(",").flatMap((item) => (item.trim() === "" ? [] : [Number(item)]));
  if (shape.length > 32 || shape.some((dim) => !Number.isSafeInteger(dim))) return fail(`shape (${tuple})`);
  if (order === "True" && shape.length > 1) return fail("column-major order; save it with numpy.ascontiguousarray");
  return { shape, dtype };
}
