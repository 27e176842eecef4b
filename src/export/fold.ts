// Constant folding on the host in float64: what a graph computes from its weights alone is computed once, at export.
import type { Shape } from "../graph/dim.ts";
import type { GraphNode, Value } from "../graph/value.ts";
import { constant, createNode, reachableNodes } from "../graph/value.ts";
import type { OpName } from "../graph/vocabulary.ts";

/** Row-major numbers; float32 weights as they are, results in float64. */
interface Known {
  readonly shape: readonly number[];
  readonly data: Float32Array | Float64Array | BigInt64Array;
}
type Folding<K extends OpName> = (node: GraphNode<K>, inputs: readonly Known[]) => Known | undefined;

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
  const total = shape.reduce((a, b) => a * b, 1);
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
  (combine: (a: number, b: number) => number) =>
  (node: Pick<GraphNode, "outputs">, [a, b]: readonly Known[]): Known | undefined => {
    if (a!.data instanceof BigInt64Array || b!.data instanceof BigInt64Array) return undefined;
    const [x, y] = [a!.data, b!.data];
    const shape = node.outputs[0].shape as number[];
    const data = new Float64Array(shape.reduce((total, size) => total * size, 1));
    walk(shape, [broadcastStrides(a!.shape, shape), broadcastStrides(b!.shape, shape)], (position, [i, j]) => {
      data[position] = combine(x[i!], y[j!]);
    });
    return { shape, data };
  };

/** Entries picked by strides and an offset: transposed, sliced. */
function picked(x: Known, shape: readonly number[], strides: readonly number[], start: number): Known {
  const data = x.data.slice(0, 0).constructor as new (length: number) => Known["data"];
  const out = new data(shape.reduce((a, b) => a * b, 1));
  walk(shape, [strides], (position, [offset]) => {
    out[position] = x.data[start + offset!];
  });
  return { shape, data: out };
}

const FOLDINGS: { readonly [K in OpName]?: Folding<K> } = {
  add: zip((a, b) => a + b),
  sub: zip((a, b) => a - b),
  mul: zip((a, b) => a * b),
  div: zip((a, b) => a / b),
  sqrt: (_, [x]) =>
    x!.data instanceof BigInt64Array
      ? undefined
      : { shape: x!.shape, data: Float64Array.from(x!.data as ArrayLike<number>, Math.sqrt) },
  reshape: (node, [x]) => ({ shape: node.outputs[0].shape as number[], data: x!.data }),
  transpose: (node, [x]) => {
    const strides = stridesOf(x!.shape);
    const order = node.attributes.permutation;
    return picked(x!, node.outputs[0].shape as number[], order.map((axis) => strides[axis]), 0); // biome-ignore format: one line
  },
  slice: (node, [x]) => {
    const { axis, start, step } = node.attributes;
    const strides = stridesOf(x!.shape);
    return step === 1
      ? picked(x!, node.outputs[0].shape as number[], strides, (start as number) * strides[axis])
      : undefined;
  },
  sum: (node, [x]) => {
    if (x!.data instanceof BigInt64Array) return undefined;
    const { axes } = node.attributes;
    const kept = x!.shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
    const data = new Float64Array(kept.reduce((a, b) => a * b, 1));
    const values = x!.data;
    walk(x!.shape, [broadcastStrides(kept, x!.shape)], (position, [offset]) => {
      data[offset!] += values[position];
    });
    return { shape: node.outputs[0].shape as number[], data };
  },
  gather: (node, [x, indices]) => {
    if (node.attributes.axis !== 0 || !(indices!.data instanceof BigInt64Array)) return undefined;
    const width = x!.shape.slice(1).reduce((a, b) => a * b, 1);
    const data = new Float64Array(indices!.data.length * width);
    indices!.data.forEach((row, i) => {
      for (let k = 0; k < width; k++) data[i * width + k] = Number(x!.data[Number(row) * width + k]);
    });
    return { shape: node.outputs[0].shape as number[], data };
  },
};

const isFixed = (shape: Shape) => shape.every((size) => typeof size === "number");

/**
 * The outputs with everything that depends on constants alone replaced by constants, rounded to float32 once. Weight
 * norm becomes a plain weight, reordered kernels are stored reordered. Values that nothing folds stay the same objects.
 */
export function foldConstants(outputs: ReadonlyMap<string, Value>): Map<string, Value> {
  const known = new Map<Value, Known>();
  const replaced = new Map<Value, Value>();
  const resolve = (value: Value): Value => {
    const existing = replaced.get(value);
    if (existing) return existing;
    const folded = known.get(value);
    if (!folded || value.node.op === "constant") return value;
    const data = folded.data instanceof Float64Array ? Float32Array.from(folded.data) : folded.data;
    const result = constant({ shape: folded.shape, data: data as Float32Array });
    replaced.set(value, result);
    return result;
  };
  for (const node of reachableNodes([...outputs.values()])) {
    if (node.op === "constant") {
      const { data } = (node as unknown as GraphNode<"constant">).attributes;
      known.set(node.outputs[0], { shape: node.outputs[0].shape as number[], data });
      continue;
    }
    const fold = FOLDINGS[node.op] as Folding<OpName> | undefined;
    const inputs = node.inputs.map((value) => known.get(value));
    if (fold && isFixed(node.outputs[0].shape) && inputs.every((x) => x !== undefined)) {
      const result = fold(node as never, inputs);
      if (result) {
        known.set(node.outputs[0], result);
        continue;
      }
    }
    const resolved = node.inputs.map(resolve);
    if (resolved.every((value, i) => value === node.inputs[i])) continue;
    const rebuilt = createNode(node.op, resolved, node.attributes as never, node.outputs);
    node.outputs.forEach((value, i) => {
      replaced.set(value, rebuilt.outputs[i]);
    });
  }
  return new Map([...outputs].map(([name, value]) => [name, resolve(value)]));
}
