// A model's parameters in one flat buffer: what the engine is fed from and the optimiser writes to.
import { InternalError } from "../errors.ts";
import { type HostArray, type Parameters, sizeOf } from "../graph/array.ts";
import type { ParameterSpec } from "./parameters.ts";

/** A flat buffer and the named views that fill it, in the order of the specs. */
export interface FlatParameters {
  readonly flat: Float32Array;
  readonly views: Parameters;
}

/** Zeros for every spec, as views of one buffer. */
export function flatZeros(specs: readonly ParameterSpec[]): FlatParameters {
  const flat = new Float32Array(specs.reduce((total, { shape }) => total + sizeOf(shape), 0));
  const views = new Map<string, HostArray>();
  let offset = 0;
  for (const { name, shape } of specs) {
    const size = sizeOf(shape);
    views.set(name, { shape, data: flat.subarray(offset, offset + size) });
    offset += size;
  }
  return { flat, views };
}

/**
 * Copies `parameters` into one buffer.
 * @throws InternalError where a parameter is missing or of another size
 */
export function flatten(specs: readonly ParameterSpec[], parameters: Parameters): FlatParameters {
  const result = flatZeros(specs);
  for (const [name, view] of result.views) {
    const source = parameters.get(name);
    if (!source || source.data.length !== view.data.length)
      throw new InternalError(
        `parameter "${name}" needs ${view.data.length} values, got ${source?.data.length ?? "none"}`,
      );
    view.data.set(source.data);
  }
  return result;
}
