// Gradients of an update: the sum over its micro-batches, in one flat buffer beside the weights.
import type { Parameters } from "../graph/array.ts";
import { flatZeros } from "../models/flat.ts";
import type { ParameterSpec } from "../models/parameters.ts";

/** Where a backward pass writes its outputs `gradient.<parameter>`. */
export type GradientOutputs = Readonly<Record<string, Float32Array>>;

const outputsInto = (views: Parameters): GradientOutputs =>
  Object.fromEntries([...views].map(([name, { data }]) => [`gradient.${name}`, data]));

export class GradientAccumulator {
  /** The sum since the last `reset`, in the order of the specs. */
  readonly flat: Float32Array;
  private readonly specs: readonly ParameterSpec[];
  private readonly sum: GradientOutputs;
  /** Made for the first micro-batch that is added to another. */
  private addend: { readonly flat: Float32Array; readonly outputs: GradientOutputs } | undefined;
  private isEmpty = true;

  constructor(specs: readonly ParameterSpec[]) {
    const { flat, views } = flatZeros(specs);
    this.specs = specs;
    this.flat = flat;
    this.sum = outputsInto(views);
  }

  reset(): void {
    this.flat.fill(0);
    this.isEmpty = true;
  }

  /** Adds what `backward` writes: the first micro-batch writes into the sum, later ones beside it. */
  async add<Result>(backward: (into: GradientOutputs) => Promise<Result>): Promise<Result> {
    if (this.isEmpty) {
      const result = await backward(this.sum);
      this.isEmpty = false;
      return result;
    }
    if (!this.addend) {
      const { flat, views } = flatZeros(this.specs);
      this.addend = { flat, outputs: outputsInto(views) };
    }
    const { flat, outputs } = this.addend;
    const result = await backward(outputs);
    for (let i = 0; i < flat.length; i++) this.flat[i] += flat[i];
    return result;
  }
}
