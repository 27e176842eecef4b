// A session of any ONNX Runtime build as an Executable: shapes checked, inputs and outputs without copies.
import type { InferenceSession, Tensor, TensorConstructor } from "onnxruntime-common";
import { InternalError, unknownName } from "../errors.ts";
import type { DType, HostArray } from "../graph/array.ts";
import { sizeOf } from "../graph/array.ts";
import { evaluateShape } from "../graph/dim.ts";
import type { Graph } from "../graph/graph.ts";
import { graphInputs, symbolSources } from "../graph/graph.ts";
import { showType } from "../graph/type.ts";
import type { Value } from "../graph/value.ts";
import type { Executable, Feed, Feeds } from "./runtime.ts";

/** The array that holds an element type on the host. */
export const HOST_TYPE = {
  float32: Float32Array,
  float16: Uint16Array,
  int64: BigInt64Array,
  uint8: Uint8Array,
  bool: Uint8Array,
} as const;

/** Sizes of the free symbols, read off the fed shapes; a feed that does not fit its input is an internal error. */
export function bindSymbols(inputs: ReadonlyMap<string, Value>, feeds: Feeds): Map<string, number> {
  for (const [name, value] of inputs) {
    const feed = feeds[name];
    if (!feed) throw new InternalError(`input "${name}" was not fed`);
    if (feed.data.length !== sizeOf(feed.shape) || feed.shape.length !== value.shape.length)
      throw new InternalError(
        `input "${name}" is ${showType(value)}, fed [${feed.shape}] with ${feed.data.length} values`,
      );
    if (!(feed.data instanceof HOST_TYPE[value.dtype]))
      throw new InternalError(`input "${name}" is ${showType(value)}, fed a ${feed.data.constructor.name}`);
    if (!(feed.data.buffer instanceof ArrayBuffer))
      throw new InternalError(`input "${name}" lies in a SharedArrayBuffer, which ONNX Runtime cannot read`);
  }
  const sizes = new Map<string, number>();
  for (const [key, { input, axis, multiple }] of symbolSources(inputs))
    sizes.set(key, Math.floor(feeds[input].shape[axis] / multiple));
  for (const [name, value] of inputs) {
    const expected = evaluateShape(value.shape, sizes);
    if (expected.some((size, axis) => size !== feeds[name].shape[axis]))
      throw new InternalError(
        `input "${name}" is ${showType(value)}, fed [${feeds[name].shape}], expected [${expected}]`,
      );
  }
  return sizes;
}

/** A feed as a tensor of an ONNX Runtime package, which reads it where it is. */
export function feedTensor<T extends Tensor>(
  TensorClass: new (type: DType, data: never, dims: readonly number[]) => T,
  dtype: DType,
  { data, shape }: Feed,
): T {
  const tensor = new TensorClass(dtype, data as never, shape);
  // Where the engine has a Float16Array, the tensor turns the patterns into one, whose bytes onnxruntime-node cannot find.
  if (dtype === "float16") Object.defineProperty(tensor, "data", { value: data });
  return tensor;
}

/**
 * Wraps a session. `TensorClass` is the Tensor of the same ONNX Runtime package. `writesInPlace`: whether that package fills
 * the tensors it is given for outputs; the web one accepts them and leaves them as they are, so there results are copied.
 */
export function createExecutable(
  graph: Graph,
  session: InferenceSession,
  TensorClass: TensorConstructor,
  { writesInPlace = true }: { readonly writesInPlace?: boolean } = {},
): Executable {
  const inputs = graphInputs(graph);
  const tensors = new WeakMap<Feed, Tensor>();
  const tensorOf = (name: string, feed: Feed): Tensor => {
    const known = tensors.get(feed);
    const { dtype } = inputs.get(name)!;
    if (known?.type === dtype) return known;
    const tensor = feedTensor(TensorClass, dtype, feed);
    tensors.set(feed, tensor);
    return tensor;
  };
  return {
    async run(feeds, into = {}) {
      const sizes = bindSymbols(inputs, feeds);
      const fed: Record<string, Tensor> = {};
      for (const name of inputs.keys()) fed[name] = tensorOf(name, feeds[name]);
      const fetches: Record<string, Tensor | null> = {};
      for (const name of Object.keys(into))
        if (!graph.outputs.has(name)) throw unknownName("output", name, graph.outputs.keys());
      for (const [name, value] of graph.outputs) {
        const target = into[name];
        const shape = evaluateShape(value.shape, sizes);
        if (target && (value.dtype !== "float32" || target.length !== sizeOf(shape)))
          throw new InternalError(
            `output "${name}" is ${value.dtype}[${shape}], cannot go into ${target.length} floats`,
          );
        fetches[name] = target && writesInPlace ? new TensorClass("float32", target, shape) : null;
      }
      const results = await session.run(fed, fetches);
      const outputs: Record<string, HostArray> = {};
      for (const name of graph.outputs.keys()) {
        const tensor = results[name];
        const target = into[name];
        if (target && !writesInPlace) target.set(tensor.data as Float32Array);
        outputs[name] = { shape: tensor.dims, data: target ?? (tensor.data as Float32Array) };
      }
      return outputs;
    },
    dispose: () => session.release(),
  };
}
