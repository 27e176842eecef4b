// The inputs of a traced model: its parameters, waveforms, frame counts and masks, under fixed names.
import { InternalError } from "../errors.ts";
import { type Dim, symbol } from "../graph/dim.ts";
import * as g from "../graph/ops.ts";
import { input, int64Scalar, type Value } from "../graph/value.ts";
import type { WindowMoments } from "../nn/features/first-layer.ts";
import { frameDim } from "../nn/features/frames.ts";
import { entriesBefore, windowCounts } from "../nn/features/lengths.ts";
import type { ParameterLookup } from "../nn/scope.ts";
import type { ModelConfig } from "./config.ts";
import { type ParameterSpec, parameterSpecs } from "./parameters.ts";

/** Batch size and padded length of the waveforms, symbolic. */
export const BATCH: Dim = symbol("batch");
export const SAMPLES: Dim = symbol("samples");

/** One graph input per parameter, in the order of the specs, and a lookup over them. */
export function specInputs(specs: readonly ParameterSpec[]): { values: Map<string, Value>; lookup: ParameterLookup } {
  const values = new Map(specs.map(({ name, shape }) => [name, input(name, shape)]));
  const lookup = (name: string): Value => {
    const value = values.get(name);
    if (!value) throw new InternalError(`the model reads parameter "${name}", which is not in its specs`);
    return value;
  };
  return { values, lookup };
}

export const parameterInputs = (config: ModelConfig) => specInputs(parameterSpecs(config));

/** Frames of a graph that reads features and no waveforms, symbolic. */
export const FRAMES: Dim = symbol("frames");

/** wave [batch, samples]. */
export const waveInput = (): Value => input("wave", [BATCH, SAMPLES]);

/** Frames that the model gives for SAMPLES samples. */
export const outputFrames = (config: ModelConfig): Dim => frameDim(config.conv, SAMPLES);

/** [batch, time, 1]: 1 at frames before the item's count, from int64 input `name` [batch]. */
export function validInput(frames: Dim, name = "validFrames"): Value {
  return g.reshape(entriesBefore(input(name, [BATCH], "int64"), frames), [BATCH, frames, 1]);
}

/** Samples of every item before its padding: int64 input `lengths` [batch]. */
export const lengthsInput = (): Value => input("lengths", [BATCH], "int64");

/** Moments of the first convolution's windows, known beforehand: inputs `centre` and `covariance`. */
export function momentsInput({ conv }: ModelConfig): WindowMoments {
  const [{ kernel }] = conv;
  return { centre: input("centre", [BATCH, 1, kernel]), covariance: input("covariance", [BATCH, kernel, kernel]) };
}

/**
 * `validFrames` of every item inside the graph: int64 [batch] from its samples, int64 [batch]. Not cut to the frames
 * there are. `isolate` follows the convolutions' rule whatever the model's: the ratio depends on the padded length.
 */
export function frameCounts(config: ModelConfig, lengths: Value, isolate = false): Value {
  if (config.frameRule === "conv" || isolate)
    return config.conv.reduce((counts, layer) => windowCounts(counts, layer), lengths);
  const ratio = g.div(g.int64Dimension(SAMPLES), g.int64Dimension(outputFrames(config)));
  return g.div(g.sub(g.add(lengths, ratio), int64Scalar(1)), ratio); // ceil(lengths / ratio)
}

/** [batch, time, 1] float32 from uint8 input "mask" [batch, time], 1 where masked. */
export function maskInput(frames: Dim): Value {
  return g.reshape(g.cast(input("mask", [BATCH, frames], "uint8"), "float32"), [BATCH, frames, 1]);
}
