// How far an exported file is from its source model: both run on the same speech, compared over true frames.
import { InternalError } from "../errors.ts";
import type { HostArray } from "../graph/array.ts";
import type { ModelWeights } from "../models/parameters.ts";
import type { PaddedWaveforms } from "../models/waveform.ts";
import type { OnnxFile } from "../runtime/node/index.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { differenceOf } from "../upstream/difference.ts";
import { createModel } from "../upstream/model.ts";
import { outputsOf } from "./choice.ts";
import type { Drift, OutputChoice } from "./export.types.ts";

function weightedSum(states: readonly HostArray[], weights: readonly number[]): HostArray {
  const data = states[0].data.map((_, i) => states.reduce((sum, state, k) => sum + weights[k] * state.data[i], 0));
  return { shape: states[0].shape, data };
}

/** Runs source and file on one padded batch, one after the other: only one of them is loaded at a time. */
export async function measureDrift(
  open: () => Promise<OnnxFile>,
  weights: ModelWeights,
  choice: OutputChoice,
  batch: PaddedWaveforms,
  options: { readonly runtime: Runtime; readonly isolate: boolean },
): Promise<Drift[]> {
  const model = createModel(weights, options.runtime);
  const source = await model.extract(batch, { isolate: options.isolate });
  await model.dispose();
  const file = await open();
  const results = await file.run({
    waveform: { shape: [batch.samples.length, batch.paddedSamples], data: batch.wave },
    lengths: { shape: [batch.samples.length], data: BigInt64Array.from(batch.samples, BigInt) },
  });
  await file.dispose();
  const frames = [...(results.valid_frames.data as BigInt64Array)].map(Number);
  if (frames.join() !== source.validFrames.join())
    throw new InternalError(`export: the file has ${frames} valid frames, the source model ${source.validFrames}`);
  return [...outputsOf(model.config, choice, source, weightedSum)].map(([output, expected]) => {
    const actual = results[output] as HostArray;
    if (actual.shape.join() !== expected.shape.join())
      throw new InternalError(`export: ${output} is [${actual.shape}], the source model's [${expected.shape}]`);
    return { output, ...differenceOf(actual, expected, source.validFrames) };
  });
}
