// Constant folding on the host in float64: what a graph computes from its weights alone is computed once, at export.
import { sizeOf } from "../graph/array.ts";
import { checkGraph } from "../graph/check.ts";
import { fixedDim, type Shape } from "../graph/dim.ts";
import { rewrite } from "../graph/rewrite.ts";
import { constant, mapInputs, type NodeOf, reachableNodes, type Value } from "../graph/value.ts";
import type { Attributes, Inputs, OpName } from "../graph/vocabulary.ts";

type Numbers = Float32Array | Float64Array | BigInt64Array;
/** Row-major numbers; float32 weights as they are, results in float64. */
interface Known {
  readonly shape: readonly number[];
  readonly data: Numbers;
}
/** The output's numbers, `shape` being the output's; undefined where they are left to the graph. */
type Folding<K extends OpName> = (
  inputs: Inputs<K, Known>,
  shape: readonly number[],
  attributes: Attributes<K>,
) => Numbers | undefined;

const stridesOf = (shape: readonly number[]): number[] => {
  const strides = shape.map(() => 1);
  for (let axis = shape.length - 2; axis >= 0; axis--) strides[axis] = strides[axis + 1] * shape[axis + 1];
  return strides;
};

/** Calls `visit(position, offsets)` for every position of `shape`, offsets following each operand's strides. */
function walk(
  shape: readonly number[],
  strides: readonly (readonly number[])[],
  visit: (position: number, offsets: readonly number[]) => void,
): void {
  const total = sizeOf(shape);
  const index = shape.map(() => 0);
  const offsets = strides.map(() => 0);
  for (let position = 0; position < total; position++) {
    visit(position, offsets);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const turn = ++index[axis] === shape[axis];
      for (let k = 0; k < strides.length; k++)
        offsets[k] += turn ? -strides[k][axis] * (shape[axis] - 1) : strides[k][axis];
      if (!turn) break;
      index[axis] = 0;
    }
  }
}

/** Strides of `from` as it broadcasts to `to`: 0 along repeated axes. */
function broadcastStrides(from: readonly number[], to: readonly number[]): number[] {
  const strides = stridesOf(from);
  const extra = to.length - from.length;
  return to.map((_, axis) => (axis < extra || from[axis - extra] === 1 ? 0 : strides[axis - extra]));
}

const zip =
  (combine: (a: number, b: number) => number): Folding<"add" | "sub" | "mul" | "div"> =>
  ([a, b], shape) => {
    const [x, y] = [a.data, b.data];
    if (x instanceof BigInt64Array || y instanceof BigInt64Array) return undefined;
    const data = new Float64Array(sizeOf(shape));
    walk(shape, [broadcastStrides(a.shape, shape), broadcastStrides(b.shape, shape)], (position, [i, j]) => {
      data[position] = combine(x[i], y[j]);
    });
    return data;
  };

/** Entries picked by strides and an offset: transposed, sliced. */
function picked({ data }: Known, shape: readonly number[], strides: readonly number[], start: number): Numbers {
  const out = data.slice(0, sizeOf(shape));
  walk(shape, [strides], (position, [offset]) => {
    out[position] = data[start + offset];
  });
  return out;
}

const FOLDINGS: { readonly [K in OpName]?: Folding<K> } = {
  constant: (_, __, { data }) => data,
  add: zip((a, b) => a + b),
  sub: zip((a, b) => a - b),
  mul: zip((a, b) => a * b),
  div: zip((a, b) => a / b),
  sqrt: ([{ data }]) => (data instanceof BigInt64Array ? undefined : Float64Array.from(data, Math.sqrt)),
  reshape: ([x]) => x.data,
  transpose: ([x], shape, { permutation }) => {
    const strides = stridesOf(x.shape);
    return picked(x, shape, permutation.map((axis) => strides[axis]), 0); // biome-ignore format: one line
  },
  slice: ([x], shape, { axis, start, step }) => {
    const strides = stridesOf(x.shape);
    return step === 1 ? picked(x, shape, strides, fixedDim(start) * strides[axis]) : undefined;
  },
  sum: ([x], _, { axes }) => {
    const values = x.data;
    if (values instanceof BigInt64Array) return undefined;
    const kept = x.shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
    const data = new Float64Array(sizeOf(kept));
    walk(x.shape, [broadcastStrides(kept, x.shape)], (position, [offset]) => {
      data[offset] += values[position];
    });
    return data;
  },
  gather: ([x, indices], _, { axis }) => {
    if (axis !== 0 || !(indices.data instanceof BigInt64Array)) return undefined;
    const width = sizeOf(x.shape.slice(1));
    const data = new Float64Array(indices.data.length * width);
    indices.data.forEach((row, i) => {
      for (let k = 0; k < width; k++) data[i * width + k] = Number(x.data[Number(row) * width + k]);
    });
    return data;
  },
};

const isFixed = (shape: Shape): shape is readonly number[] => shape.every((size) => typeof size === "number");

/** What a node gives if everything it reads is known. */
function fold<K extends OpName>(node: NodeOf<K>, shape: Shape, known: ReadonlyMap<Value, Known>): Known | undefined {
  const inputs: readonly Value[] = node.inputs;
  if (!isFixed(shape) || !inputs.every((value) => known.has(value))) return undefined;
  const data = FOLDINGS[node.op]?.(
    mapInputs(node, (value) => known.get(value)!),
    shape,
    node.attributes,
  );
  return data && { shape, data };
}

/**
 * The outputs with everything that depends on constants alone replaced by constants, rounded to float32 once. Weight
 * norm becomes a plain weight, reordered kernels are stored reordered. Values that nothing folds stay the same objects.
 */
export function foldConstants(outputs: ReadonlyMap<string, Value>): Map<string, Value> {
  const known = new Map<Value, Known>();
  for (const node of reachableNodes([...outputs.values()])) {
    const result = fold(node, node.outputs[0].shape, known);
    if (result) known.set(node.outputs[0], result);
  }
  const constants = new Map<Value, Value>();
  const folded = rewrite([...outputs.values()], {
    has: (value) => value.node.op !== "constant" && known.has(value),
    get: (value) => {
      const { shape, data } = known.get(value)!;
      const rounded = () => (data instanceof Float64Array ? Float32Array.from(data) : data);
      const made = constants.get(value) ?? constant({ shape, data: rounded() });
      constants.set(value, made);
      return made;
    },
  });
  checkGraph("fold", folded);
  return new Map([...outputs.keys()].map((name, i) => [name, folded[i]]));
}
