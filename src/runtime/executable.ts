// A session of any ONNX Runtime build as an Executable: shapes checked, inputs and outputs without copies.
import type { InferenceSession, Tensor, TensorConstructor } from "onnxruntime-common";
import { InternalError } from "../errors.ts";
import type { HostArray } from "../graph/array.ts";
import { sizeOf } from "../graph/array.ts";
import { evaluateShape, SymbolicDim } from "../graph/dim.ts";
import type { Value } from "../graph/value.ts";
import { showType } from "../graph/value.ts";
import type { Graph } from "../onnx/serialize.ts";
import { graphInputs } from "../onnx/serialize.ts";
import type { Executable, Feed, Feeds } from "./runtime.ts";

/** Sizes of the free symbols, read off the fed shapes; a feed that does not fit its input is an internal error. */
function bindSymbols(inputs: ReadonlyMap<string, Value>, feeds: Feeds): Map<string, number> {
  const sizes = new Map<string, number>();
  for (const [name, value] of inputs) {
    const feed = feeds[name];
    if (!feed) throw new InternalError(`input "${name}" was not fed`);
    if (feed.data.length !== sizeOf(feed.shape) || feed.shape.length !== value.shape.length)
      throw new InternalError(
        `input "${name}" is ${showType(value)}, fed [${feed.shape}] with ${feed.data.length} values`,
      );
    value.shape.forEach((dim, axis) => {
      if (dim instanceof SymbolicDim && dim.terms.length === 1 && !dim.terms[0]!.symbols[0]!.quotient)
        if (!sizes.has(dim.key.slice(2))) sizes.set(dim.key.slice(2), feed.shape[axis]!);
    });
  }
  for (const [name, value] of inputs) {
    const expected = evaluateShape(value.shape, sizes);
    if (expected.some((size, axis) => size !== feeds[name]!.shape[axis]))
      throw new InternalError(
        `input "${name}" is ${showType(value)}, fed [${feeds[name]!.shape}], expected [${expected}]`,
      );
  }
  return sizes;
}

/** Wraps a session. `TensorClass` is the Tensor of the same ONNX Runtime package. */
export function createExecutable(graph: Graph, session: InferenceSession, TensorClass: TensorConstructor): Executable {
  const inputs = graphInputs(graph);
  const tensors = new WeakMap<Feed, Tensor>();
  const tensorOf = (name: string, feed: Feed): Tensor => {
    const known = tensors.get(feed);
    if (known) return known;
    const tensor = new TensorClass(inputs.get(name)!.dtype, feed.data as never, feed.shape);
    tensors.set(feed, tensor);
    return tensor;
  };
  return {
    async run(feeds, into = {}) {
      const sizes = bindSymbols(inputs, feeds);
      const fed: Record<string, Tensor> = {};
      for (const name of inputs.keys()) fed[name] = tensorOf(name, feeds[name]!);
      const fetches: Record<string, Tensor | null> = {};
      for (const [name, value] of graph.outputs) {
        const target = into[name];
        fetches[name] = target ? new TensorClass("float32", target, evaluateShape(value.shape, sizes)) : null;
      }
      const results = await session.run(fed, fetches);
      const outputs: Record<string, HostArray> = {};
      for (const name of graph.outputs.keys()) {
        const tensor = results[name]!;
        outputs[name] = { shape: tensor.dims, data: tensor.data as Float32Array };
      }
      return outputs;
    },
    dispose: () => session.release(),
  };
}
