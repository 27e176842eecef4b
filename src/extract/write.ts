// One utterance's states as a file, and the line that records it.
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { writeSafetensors } from "../checkpoint/index.ts";
import { writeFileAtomic } from "../files.ts";
import type { HostArray } from "../graph/array.ts";
import type { ExtractRecord } from "./manifest.ts";
import { encodeNpy } from "./npy.ts";
import { type Intent, settingsFor } from "./settings.ts";
import type { Source } from "./sources.ts";

export const fileOf = ({ id }: Source, { format }: Intent) => `${id}.${format}`;

/** Writes `arrays` of `source` into `outDir`; returns what the manifest shall say. */
export async function writeStates(
  outDir: string,
  source: Source,
  arrays: readonly HostArray[],
  intent: Intent,
): Promise<ExtractRecord> {
  const { format, settings } = intent;
  const { id, samples } = source;
  const { heads, dtype, layers } = settings;
  const file = fileOf(source, intent);
  const target = join(outDir, file);
  const [frames, dim] = arrays[0].shape as [number, number];
  if (format === "npy") {
    const all = new Float32Array(arrays.length * frames * dim);
    for (const [i, { data }] of arrays.entries()) all.set(data, i * frames * dim);
    await writeFileAtomic(target, encodeNpy({ shape: [arrays.length, frames, dim], data: all }, dtype));
  } else {
    const named = arrays.map((array, i): [string, HostArray] => [`${heads ? "head" : "layer"}.${layers[i]}`, array]);
    await writeSafetensors(target, named, { dtype, metadata: { id, samples: String(samples) } });
  }
  return recordOf(outDir, source, intent, [frames, dim]);
}

/** What the manifest says of a file that has been written. */
export async function recordOf(
  outDir: string,
  source: Source,
  intent: Intent,
  [frames, dim]: readonly [number, number],
): Promise<ExtractRecord> {
  const { id, path, segment, samples } = source;
  const file = fileOf(source, intent);
  const { size: bytes } = await stat(join(outDir, file));
  const from = { bytes: source.bytes, mtimeMs: source.mtimeMs };
  return {
    id,
    path,
    ...(segment && { segment }),
    file,
    samples,
    frames,
    dim,
    bytes,
    source: from,
    ...settingsFor(intent, samples),
  };
}
