// A plain float64 interpreter of the whole op vocabulary: slow, obvious, and the judge of every runtime in the tests.
import { evaluateDim, evaluateShape } from "../../src/graph/dim.ts";
import type { NodeOf, Value } from "../../src/graph/value.ts";
import { mapInputs, reachableNodes } from "../../src/graph/value.ts";
import type { Attributes, Inputs, OpName } from "../../src/graph/vocabulary.ts";
import { recurrence, recurrenceBackward } from "./reference-lstm.ts";

/** Row-major float64, whatever the graph's type: int64, uint8 and bool values are exact in it. */
export interface Tensor {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}
export type Sizes = ReadonlyMap<string, number>;

type Index = readonly number[];

/** A tensor from a function of the index. */
export function tabulate(shape: readonly number[], at: (index: Index) => number): Tensor {
  const data = new Float64Array(shape.reduce((a, b) => a * b, 1));
  const index = shape.map(() => 0);
  for (let i = 0; i < data.length; i++) {
    data[i] = at(index);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      if (++index[axis] < shape[axis]) break;
      index[axis] = 0;
    }
  }
  return { shape, data };
}

/** The entry at `index`; leading extra axes are ignored and axes of size 1 repeat, as in numpy. */
function read({ shape, data }: Tensor, index: Index): number {
  const extra = index.length - shape.length;
  let offset = 0;
  for (let axis = 0; axis < shape.length; axis++)
    offset = offset * shape[axis] + (shape[axis] === 1 ? 0 : index[extra + axis]);
  return data[offset];
}

function broadcastNumbers(...shapes: (readonly number[])[]): number[] {
  const rank = Math.max(...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, i) => {
    const sizes = shapes.map((shape) => shape[shape.length - rank + i] ?? 1).filter((size) => size !== 1);
    if (new Set(sizes).size > 1) throw new Error(`reference: [${shapes.join("] [")}] do not broadcast`);
    return sizes[0] ?? 1;
  });
}

/** erf by its series with positive terms only (no cancellation): 2/sqrt(pi) e^(-x^2) sum of 2^n x^(2n+1) / (2n+1)!!. */
function erf(x: number): number {
  if (Math.abs(x) > 6) return Math.sign(x);
  let term = x;
  let total = 0;
  for (let n = 0; Math.abs(term) > 1e-18 * Math.abs(total); n++) {
    total += term;
    term *= (2 * x * x) / (2 * n + 3);
  }
  return ((2 * Math.exp(-x * x)) / Math.sqrt(Math.PI)) * total;
}
const normalCdf = (x: number) => 0.5 * (1 + erf(x / Math.SQRT2));
const normalDensity = (x: number) => Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);

type Evaluate<K extends OpName> = (
  attributes: Attributes<K>,
  inputs: Inputs<K, Tensor>,
  sizes: Sizes,
) => Tensor | readonly Tensor[];

const map =
  (f: (x: number) => number) =>
  (_: unknown, [x]: readonly [Tensor]): Tensor => ({ shape: x.shape, data: x.data.map(f) });
const zip =
  (f: (x: number, y: number) => number) =>
  (_: unknown, [x, y]: readonly [Tensor, Tensor]): Tensor =>
    tabulate(broadcastNumbers(x.shape, y.shape), (i) => f(read(x, i), read(y, i)));

const leaf = (): never => {
  throw new Error("reference: leaves are not computed");
};

const swapLast = (x: Tensor): Tensor => permute(x, [...x.shape.keys()].slice(0, -2).concat(x.shape.length - 1, x.shape.length - 2)); // biome-ignore format: one line

function permute(x: Tensor, permutation: readonly number[]): Tensor {
  const shape = permutation.map((axis) => x.shape[axis]);
  return tabulate(shape, (index) =>
    read(
      x,
      x.shape.map((_, axis) => index[permutation.indexOf(axis)]),
    ),
  );
}

const product: Evaluate<"matmul" | "gemm"> = ({ transA, transB, alpha }, [left, right, c]) => {
  const a = transA ? swapLast(left) : left;
  const b = transB ? swapLast(right) : right;
  const inner = a.shape.at(-1)!;
  if (inner !== b.shape.at(-2)) throw new Error("reference: inner sizes differ");
  const shape = [...broadcastNumbers(a.shape.slice(0, -2), b.shape.slice(0, -2)), a.shape.at(-2)!, b.shape.at(-1)!];
  return tabulate(shape, (index) => {
    const [batch, row, column] = [index.slice(0, -2), index.at(-2)!, index.at(-1)!];
    let total = 0;
    for (let k = 0; k < inner; k++) total += read(a, [...batch, row, k]) * read(b, [...batch, k, column]);
    return alpha * total + (c ? read(c, index) : 0);
  });
};

const conv1d: Evaluate<"conv1d"> = ({ stride, groups, padding }, [x, weight, bias]) => {
  const [batch, , time] = x.shape as [number, number, number];
  const [out, perGroup, kernel] = weight.shape as [number, number, number];
  const frames = Math.floor((time + padding[0] + padding[1] - kernel) / stride) + 1;
  return tabulate([batch, out, frames], ([b, o, t]) => {
    let total = bias ? bias.data[o] : 0;
    const group = Math.floor(o / (out / groups));
    for (let c = 0; c < perGroup; c++)
      for (let k = 0; k < kernel; k++) {
        const at = t * stride + k - padding[0];
        if (at >= 0 && at < time) total += read(x, [b, group * perGroup + c, at]) * read(weight, [o, c, k]);
      }
    return total;
  });
};

const reduce =
  (finish: (values: number[]) => number): Evaluate<"sum" | "mean" | "max"> =>
  ({ axes, keepDims }, [x]) => {
    const kept = x.shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
    const result = tabulate(kept, (index) => {
      const values: number[] = [];
      const ranges = x.shape.map((size, axis) => (axes.includes(axis) ? size : 1));
      tabulate(ranges, (inner) => {
        values.push(
          read(
            x,
            index.map((i, axis) => i + inner[axis]),
          ),
        );
        return 0;
      });
      return finish(values);
    });
    return keepDims ? result : { shape: kept.filter((_, axis) => !axes.includes(axis)), data: result.data };
  };
const total = (values: number[]) => values.reduce((a, b) => a + b, 0);

/** Every row of the last axis through `f`. */
function rows(x: Tensor, f: (row: Float64Array) => Float64Array): Tensor {
  const width = x.shape.at(-1)!;
  const data = new Float64Array(x.data.length);
  for (let start = 0; start < data.length; start += width) data.set(f(x.data.subarray(start, start + width)), start);
  return { shape: x.shape, data };
}

const layerNorm: Evaluate<"layerNorm"> = ({ epsilon }, [x, weight, bias]) => {
  const width = x.shape.at(-1)!;
  const means: number[] = [];
  const inverses: number[] = [];
  const y = rows(x, (row) => {
    const mean = total([...row]) / width;
    const inverse = 1 / Math.sqrt(total([...row].map((v) => (v - mean) ** 2)) / width + epsilon);
    means.push(mean);
    inverses.push(inverse);
    return row.map((v, i) => (v - mean) * inverse * weight.data[i] + bias.data[i]);
  });
  const shape = [...x.shape.slice(0, -1), 1];
  return [y, { shape, data: Float64Array.from(means) }, { shape, data: Float64Array.from(inverses) }];
};

const moved = (index: Index, axis: number, position: number) => index.map((i, at) => (at === axis ? position : i));
const withSize = (shape: readonly number[], axis: number, size: number) => moved(shape, axis, size);

const CASTS: Record<string, (x: number) => number> = {
  float32: (x) => x,
  int64: Math.trunc,
  uint8: Math.trunc,
  bool: (x) => (x === 0 ? 0 : 1),
};

/** Total over the vocabulary: an op without a reference does not compile. */
export const REFERENCE: { readonly [K in OpName]: Evaluate<K> } = {
  input: leaf,
  constant: ({ type, data }) => ({
    shape: type.shape,
    data: Float64Array.from(data as ArrayLike<number | bigint>, Number),
  }),
  iota: ({ size }, _, sizes) => tabulate([evaluateDim(size, sizes)], ([i]) => i),
  dimension: ({ size }, _, sizes) => tabulate([], () => evaluateDim(size, sizes)),
  add: zip((x, y) => x + y),
  sub: zip((x, y) => x - y),
  mul: zip((x, y) => x * y),
  div: zip((x, y) => x / y),
  less: zip((x, y) => (x < y ? 1 : 0)),
  neg: map((x) => -x),
  exp: map(Math.exp),
  log: map(Math.log),
  sqrt: map(Math.sqrt),
  erf: map(erf),
  abs: map(Math.abs),
  sign: map(Math.sign),
  sigmoid: map((x) => 1 / (1 + Math.exp(-x))),
  tanh: map(Math.tanh),
  gelu: map((x) => x * normalCdf(x)),
  geluBackward: zip((x, cotangent) => cotangent * (normalCdf(x) + x * normalDensity(x))),
  clip: ({ min, max }, [x]) => ({ shape: x.shape, data: x.data.map((v) => Math.min(max, Math.max(min, v))) }),
  cast: ({ to }, [x]) => ({ shape: x.shape, data: x.data.map(CASTS[to]) }),
  dropout: ({ rate }, [x, kept]) => ({
    shape: x.shape,
    data: x.data.map((v, i) => (v * kept.data[i]) / (1 - rate)),
  }),
  scaleGradient: (_, [x]) => x,
  matmul: product,
  gemm: product,
  conv1d,
  sum: reduce(total),
  mean: reduce((values) => total(values) / values.length),
  max: reduce((values) => Math.max(...values)),
  lstm: ({ reverse }, [gates, weight, valid]) => recurrence(gates, weight, valid, reverse),
  lstmBackward: ({ reverse }, inputs) => recurrenceBackward(inputs, reverse),
  softmax: (_, [x]) =>
    rows(x, (row) => {
      const top = Math.max(...row);
      const exps = row.map((v) => Math.exp(v - top));
      return exps.map((v) => v / total([...exps]));
    }),
  layerNorm,
  reshape: ({ shape }, [x], sizes) => ({ shape: evaluateShape(shape, sizes), data: x.data }),
  transpose: ({ permutation }, [x]) => permute(x, permutation),
  broadcast: ({ shape }, [x], sizes) =>
    tabulate(broadcastNumbers(x.shape, evaluateShape(shape, sizes)), (index) => read(x, index)),
  slice: ({ axis, start, end, step }, [x], sizes) => {
    const size = x.shape[axis];
    if (step === -1) return tabulate(x.shape, (index) => read(x, moved(index, axis, size - 1 - index[axis])));
    const [from, to] = [evaluateDim(start, sizes), evaluateDim(end, sizes)];
    if (from < 0 || to > size || from > to) throw new Error(`reference: slice ${from}..${to} of ${size}`);
    return tabulate(withSize(x.shape, axis, to - from), (index) => read(x, moved(index, axis, index[axis] + from)));
  },
  concat: ({ axis }, parts) => {
    const size = total(parts.map((part) => part.shape[axis]));
    return tabulate(withSize(parts[0].shape, axis, size), (index) => {
      let position = index[axis];
      for (const part of parts) {
        if (position < part.shape[axis]) return part.shape[axis] === 1 ? read(part, moved(index, axis, 0)) : read(part, moved(index, axis, position)); // biome-ignore format: one line
        position -= part.shape[axis];
      }
      return Number.NaN;
    });
  },
  pad: ({ axis, before, after }, [x], sizes) => {
    const [ahead, size] = [evaluateDim(before, sizes), x.shape[axis]];
    return tabulate(withSize(x.shape, axis, size + ahead + evaluateDim(after, sizes)), (index) => {
      const position = index[axis] - ahead;
      return position < 0 || position >= size ? 0 : read(x, moved(index, axis, position));
    });
  },
  gather: ({ axis }, [x, indices]) => {
    const rank = indices.shape.length;
    const shape = [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)];
    return tabulate(shape, (index) => {
      const chosen = read(indices, index.slice(axis, axis + rank));
      return read(x, [...index.slice(0, axis), chosen, ...index.slice(axis + rank)]);
    });
  },
  scatterAddRows: ({ size }, [indices, updates, base], sizes) => {
    const shape = withSize(updates.shape, 0, evaluateDim(size, sizes));
    return tabulate(shape, (index) => {
      let sum = base ? read(base, index) : 0;
      indices.data.forEach((row, n) => {
        if (row === index[0]) sum += read(updates, moved(index, 0, n));
      });
      return sum;
    });
  },
};

/** What a node computes, from the results of those before it. */
function compute<K extends OpName>(node: NodeOf<K>, results: ReadonlyMap<Value, Tensor>, sizes: Sizes) {
  const inputs = mapInputs(node, (value) => results.get(value)!);
  return REFERENCE[node.op](node.attributes, inputs, sizes);
}

/** Runs a graph. Every computed shape is held against the inferred one. */
export function evaluate(outputs: readonly Value[], feeds: ReadonlyMap<string, Tensor>, sizes: Sizes): Tensor[] {
  const results = new Map<Value, Tensor>();
  for (const node of reachableNodes(outputs)) {
    const computed = node.op === "input" ? feeds.get(node.attributes.name)! : compute(node, results, sizes);
    const tensors = "data" in computed ? [computed] : computed;
    node.outputs.forEach((value, i) => {
      const inferred = evaluateShape(value.shape, sizes);
      if (inferred.join() !== tensors[i].shape.join())
        throw new Error(`${node.op}: inferred [${inferred}], computed [${tensors[i].shape}]`);
      results.set(value, tensors[i]);
    });
  }
  return outputs.map((value) => results.get(value)!);
}

/** Sizes by name, for `evaluate`. */
export const sizesOf = (sizes: Readonly<Record<string, number>>): Sizes => new Map(Object.entries(sizes));
