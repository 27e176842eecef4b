// An ONNX model on disk: one file, or a small one and its weights beside it, written as they come.
import { rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { diskError, makeFolder, refusalOf, syncFolder, writeFileAtomic } from "../files.ts";
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
async function writeOnnx(model: OnnxModel, folder: string, name: string, external: boolean): Promise<string[]> {
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

/** A file in its place, and what its check has found. */
interface PlacedOnnx<Found> {
  readonly file: string;
  /** The file with the weights, where they are apart. */
  readonly dataFile: string | null;
  readonly bytes: number;
  readonly found: Found;
}

/**
 * Writes a model as `out`, which appears under its name only when it is complete and `check`, given a path to run it from,
 * has not thrown.
 */
export async function placeOnnx<Found>(
  model: OnnxModel,
  { out, externalData }: { readonly out: string; readonly externalData?: boolean },
  check: (path: string) => Promise<Found>,
): Promise<PlacedOnnx<Found>> {
  const external = externalData || needsExternalData(model);
  const place = resolve(out);
  const [folder, name] = [dirname(place), basename(place)];
  const staging = join(folder, `.${name}.${process.pid}.tmp`);
  try {
    await makeFolder(staging);
    const names = await writeOnnx(model, staging, name, external);
    const found = await check(join(staging, name));
    let bytes = 0;
    for (const one of names) {
      bytes += (await stat(join(staging, one))).size;
      await rename(join(staging, one), join(folder, one));
    }
    await syncFolder(folder);
    return { file: out, dataFile: external ? `${out}.data` : null, bytes, found };
  } catch (error) {
    throw diskError(refusalOf(error) ?? error, out);
  } finally {
    await rm(staging, { recursive: true, force: true }).catch(() => {});
  }
}
