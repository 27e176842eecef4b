// Tensors of torch.save files: where their numbers lie in a storage, checked before they are read.
import { StillwaveError } from "../../errors.ts";
import { sizeOf } from "../../graph/array.ts";
import { DTYPE_BYTES, type Dtype, isDtype } from "./dtypes.ts";
import type { RandomAccessFile } from "./file.ts";
import type { TorchStorage, TorchTensor } from "./pickle.types.ts";
import type { StoredTensor } from "./tensors.ts";

/** An element type, torch's name of it, and the storages that hold it (none for newer types). */
const TYPES: readonly (readonly [Dtype, string, string?])[] = [
  ["F64", "torch.float64", "DoubleStorage"],
  ["F32", "torch.float32", "FloatStorage"],
  ["F16", "torch.float16", "HalfStorage"],
  ["BF16", "torch.bfloat16", "BFloat16Storage"],
  ["I64", "torch.int64", "LongStorage"],
  ["I32", "torch.int32", "IntStorage"],
  ["I16", "torch.int16", "ShortStorage"],
  ["I8", "torch.int8", "CharStorage"],
  ["U8", "torch.uint8", "ByteStorage"],
  ["BOOL", "torch.bool", "BoolStorage"],
  ["U16", "torch.uint16"],
  ["U32", "torch.uint32"],
  ["U64", "torch.uint64"],
];
const TORCH_DTYPES = new Map(TYPES.map(([dtype, torch]) => [torch, dtype]));
/** By the name of a storage. */
export const STORAGE_DTYPES: ReadonlyMap<string | undefined, Dtype> = new Map(
  TYPES.map(([dtype, , storage]) => [storage, dtype]),
);

/** Where a storage's bytes are and how many there are. */
export type Locate = (storage: TorchStorage, what: string) => Promise<{ offset: number; bytes: number }>;

/** A tensor whose numbers are read, and whose place is looked up, when they are asked for. */
export function storedTensor(file: RandomAccessFile, locate: Locate, name: string, tensor: TorchTensor): StoredTensor {
  const { shape, strides } = tensor;
  const named = tensor.dtype ?? tensor.storage.type;
  const dtype = (tensor.dtype === undefined ? STORAGE_DTYPES : TORCH_DTYPES).get(named) ?? named;
  return {
    name,
    dtype,
    shape,
    async read() {
      const what = `tensor "${name}"`;
      const fail = (text: string): never => {
        throw new StillwaveError(`${file.path}: ${what} ${text}`);
      };
      if (!isDtype(dtype)) return fail(`has type ${dtype}, which cannot be read; save it as float32`);
      const size = DTYPE_BYTES[dtype];
      const place = await locate(tensor.storage, what);
      const held = Math.floor(place.bytes / size);
      const declared = tensor.dtype === undefined ? tensor.storage.elements : tensor.storage.elements / size;
      if (tensor.storage.viewOffset + declared > held)
        fail(`needs a storage of ${declared} numbers, but "${tensor.storage.key}" holds ${held}`);
      const count = sizeOf(shape);
      const first = tensor.storage.viewOffset + tensor.offset;
      const span = count === 0 ? 0 : shape.reduce((last, dim, i) => last + (dim - 1) * strides[i], 1);
      if (!Number.isSafeInteger(span) || first + span > held)
        fail(
          `of shape [${shape}] and stride [${strides}] at ${tensor.offset} reaches beyond its storage of ${held} numbers`,
        );
      if (count > held) fail(`of shape [${shape}] has more elements than its storage (${held})`);
      const start = place.offset + first * size;
      const out = new Float32Array(count);
      if (isContiguous(shape, strides)) await file.readNumbers(out, start, dtype, what);
      else {
        const spanned = new Float32Array(span);
        await file.readNumbers(spanned, start, dtype, what);
        gather(out, spanned, shape, strides);
      }
      return out;
    },
  };
}

function isContiguous(shape: readonly number[], strides: readonly number[]): boolean {
  let expected = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    if (shape[i] !== 1 && strides[i] !== expected) return false;
    expected *= shape[i];
  }
  return true;
}

/** out[i...] = spanned[sum of i * stride], out in row-major order. */
function gather(out: Float32Array, spanned: Float32Array, shape: readonly number[], strides: readonly number[]): void {
  const index = new Array<number>(shape.length).fill(0);
  let from = 0;
  for (let to = 0; to < out.length; to++) {
    out[to] = spanned[from];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis];
      if (++index[axis] < shape[axis]) break;
      from -= strides[axis] * shape[axis];
      index[axis] = 0;
    }
  }
}
