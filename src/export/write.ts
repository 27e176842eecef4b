// An ONNX model on disk: one file, or a small one and its weights beside it, written as they come.
import { basename, join } from "node:path";
import { writeFileAtomic } from "../files.ts";
import type { OnnxModel, OnnxTensor } from "../onnx/proto.ts";
import { encodeModelChunks } from "../onnx/proto.ts";

/** Above this an ONNX file cannot hold its weights (protobuf's limit is 2 GiB). */
const LARGEST_INLINE_BYTES = 2 ** 31 - 2 ** 26;
/** Smaller tensors stay in the model file, where shape inference can see them. */
const SMALLEST_EXTERNAL_BYTES = 1024;
/** Tensors start at multiples of this, so that runtimes can map them. */
const ALIGNMENT_BYTES = 4096;

/** Whether the weights must lie in a file of their own. */
export const needsExternalData = ({ initializers }: OnnxModel): boolean =>
  initializers.reduce((total, { bytes }) => total + bytes.length, 0) > LARGEST_INLINE_BYTES;

/** Writes `<folder>/<name>`, and `<folder>/<name>.data` where `external`; returns the names of the files. */
export async function writeOnnx(model: OnnxModel, folder: string, name: string, external: boolean): Promise<string[]> {
  if (!external) {
    await writeFileAtomic(join(folder, name), encodeModelChunks(model));
    return [name];
  }
  const file = `${basename(name)}.data`;
  let offset = 0;
  const parts: { readonly offset: number; readonly bytes: Uint8Array }[] = [];
  const initializers = model.initializers.map((tensor): OnnxTensor => {
    const { bytes } = tensor;
    if (!(bytes instanceof Uint8Array) || bytes.byteLength < SMALLEST_EXTERNAL_BYTES) return tensor;
    parts.push({ offset, bytes });
    const place = { file, offset, length: bytes.byteLength };
    offset = Math.ceil((offset + bytes.byteLength) / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
    return { ...tensor, bytes: place };
  });
  await writeFileAtomic(join(folder, file), aligned(parts));
  await writeFileAtomic(join(folder, name), encodeModelChunks({ ...model, initializers }));
  return [file, name];
}

function* aligned(parts: readonly { readonly offset: number; readonly bytes: Uint8Array }[]): Generator<Uint8Array> {
  let position = 0;
  for (const { offset, bytes } of parts) {
    if (offset > position) yield new Uint8Array(offset - position);
    yield bytes;
    position = offset + bytes.byteLength;
  }
}
