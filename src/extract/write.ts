// One utterance's states as a file, and the line that records it.
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { writeSafetensors } from "../checkpoint/index.ts";
import { StillwaveError } from "../errors.ts";
import { writeFileAtomic } from "../files.ts";
import type { HostArray } from "../graph/array.ts";
import type { Extraction, Model } from "../upstream/model.ts";
import { stateOf } from "../upstream/states.ts";
import type { ExtractRecord } from "./manifest.ts";
import { encodeNpy } from "./npy.ts";
import { type Intent, type Settings, settingsFor } from "./settings.ts";
import type { Source } from "./sources.ts";

export const fileOf = ({ id }: Source, { format }: Intent) => `${id}.${format}`;

/**
 * The chosen states of item `item` without its padded frames, each [frames, dim]; an error, not thrown, for a value that the
 * format cannot hold, or that is no number.
 */
export function checkedStates(
  { config }: Pick<Model, "config">,
  out: Extraction,
  item: number,
  { states, settings }: Pick<Intent, "states" | "settings">,
): HostArray[] | StillwaveError {
  const frames = out.validFrames[item];
  const arrays: HostArray[] = [];
  for (const state of states) {
    const { shape, data: all } = stateOf(config, out, state);
    const [, time, dim] = shape as [number, number, number];
    const start = item * time * dim;
    const data = all.subarray(start, start + frames * dim);
    const problem = valueProblem(data, settings);
    if (problem) return new StillwaveError(`layer ${state.number} holds ${problem}`);
    arrays.push({ shape: [frames, dim], data });
  }
  return arrays;
}

/** The first value that cannot be stored, and why. */
export function valueProblem(data: Float32Array, { dtype }: Pick<Settings, "dtype">): string | undefined {
  const limit = dtype === "float16" ? 65519 : Number.MAX_VALUE;
  // a plain loop: with a function for every value this is a tenth of an extraction
  let at = 0;
  while (at < data.length && Math.abs(data[at]) <= limit) at++;
  if (at === data.length) return undefined;
  const bad = data[at];
  return `${bad}${Number.isFinite(bad) ? ", beyond float16; extract float32" : "; the audio (samples far too large) or the model is damaged"}`;
}

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
