// The inputs of a traced model: its parameters, waveforms, frame counts and masks, under fixed names.
import { InternalError } from "../errors.ts";
import type { Dim } from "../graph/dim.ts";
import { symbol } from "../graph/dim.ts";
import * as g from "../graph/ops.ts";
import type { Value } from "../graph/value.ts";
import { input } from "../graph/value.ts";
import { frameDims } from "../nn/features/frames.ts";
import type { ParameterLookup } from "../nn/scope.ts";
import type { ModelConfig } from "./config.ts";
import { parameterSpecs } from "./parameters.ts";

/** Batch size and padded length of the waveforms, symbolic. */
export const BATCH: Dim = symbol("batch");
export const SAMPLES: Dim = symbol("samples");

/** One graph input per parameter, in `parameterSpecs` order, and a lookup over them. */
export function parameterInputs(config: ModelConfig): { values: Map<string, Value>; lookup: ParameterLookup } {
  const values = new Map(parameterSpecs(config).map(({ name, shape }) => [name, input(name, shape)]));
  const lookup = (name: string): Value => {
    const value = values.get(name);
    if (!value) throw new InternalError(`the model reads parameter "${name}", which is not in its specs`);
    return value;
  };
  return { values, lookup };
}

/** wave [batch, samples]. */
export const waveInput = (): Value => input("wave", [BATCH, SAMPLES]);

/** Frames that the model gives for `samples` samples. */
export const outputFrames = (config: ModelConfig, samples: Dim = SAMPLES): Dim =>
  frameDims(config.conv, samples).at(-1)!;

/** [batch, time, 1]: 1 at frames before the item's count, from int64 input `name` [batch]. */
export function validInput(frames: Dim, name = "validFrames"): Value {
  const counts = g.reshape(input(name, [BATCH], "int64"), [BATCH, 1]);
  const valid = g.less(g.reshape(g.iota(frames), [1, frames]), counts);
  return g.reshape(g.cast(valid, "float32"), [BATCH, frames, 1]);
}

/** [batch, time, 1] float32 from uint8 input "mask" [batch, time], 1 where masked. */
export function maskInput(frames: Dim): Value {
  return g.reshape(g.cast(input("mask", [BATCH, frames], "uint8"), "float32"), [BATCH, frames, 1]);
}
