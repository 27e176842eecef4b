// One table of op cases, several for every op: what `runOpCases` holds every runtime against.

import { halfToFloat } from "../../src/checkpoint/formats/dtypes.ts";
import type { DType } from "../../src/graph/array.ts";
import type { Dim, Shape } from "../../src/graph/dim.ts";
import { addDims, floorDivDim, mulDims, symbol } from "../../src/graph/dim.ts";
import * as g from "../../src/graph/ops.ts";
import type { Value } from "../../src/graph/value.ts";
import { constant, scalar } from "../../src/graph/value.ts";
import type { OpName } from "../../src/graph/vocabulary.ts";
import type { Random } from "../../src/random.ts";

/** An input of a case: its type, and how its values are drawn once `limit` (a bound for indices) is a number. */
export interface CaseInput {
  readonly shape: Shape;
  readonly dtype: DType;
  readonly draw: (random: Random, count: number, limit: number) => number[];
  readonly limit?: Dim;
}

/** A symbol is read off an input axis that is exactly it: where a case has none, a second output keeps a `witness` input. */
export interface OpCase {
  readonly op: OpName;
  readonly name: string;
  readonly inputs: readonly CaseInput[];
  /** One output or several; the gradient is that of the first. */
  readonly build: (...values: Value[]) => Value | readonly Value[];
  /** False for cases of a differentiable op that are outside what its rule covers (strided convolution, repeated indices). */
  readonly gradient?: false;
}

/** Sizes of the symbols in the cases; every symbolic case runs with all of them in one session. */
export const CASE_SIZES: readonly Readonly<Record<string, number>>[] = [
  { batch: 2, time: 7 },
  { batch: 1, time: 9 },
  { batch: 3, time: 5 },
];
const B = symbol("batch");
const T = symbol("time");

const draws =
  (one: (random: Random) => number): CaseInput["draw"] =>
  (random, count) =>
    Array.from({ length: count }, () => Math.fround(one(random)));
const float = (draw: CaseInput["draw"]) => (...shape: Dim[]): CaseInput => ({ shape, dtype: "float32", draw }); // biome-ignore format: one line
/** Standard normal. */
const normal = float(draws((random) => random.normal()));
const large = float(draws((random) => 6 * random.normal()));
const farAway = float(draws((random) => 300 + random.normal()));
const positive = float(draws((random) => 0.3 + 2 * random.uniform()));
/** Away from zero, where abs and the quotient are not smooth. */
const apart = float(draws((random) => (random.uniform() < 0.5 ? -1 : 1) * (0.3 + 2 * random.uniform())));
const mask = (...shape: Dim[]): CaseInput => ({ shape, dtype: "uint8", draw: draws((random) => random.integer(2)) });
const flags = (...shape: Dim[]): CaseInput => ({ ...mask(...shape), dtype: "bool" });
const integers = (...shape: Dim[]): CaseInput => ({
  shape,
  dtype: "int64",
  draw: draws((random) => random.integer(21) - 10),
});
/** Every finite half alike, the subnormal ones as often as those near 1. */
const halves = (...shape: Dim[]): CaseInput => ({
  shape,
  dtype: "float16",
  draw: draws((random) => halfToFloat((random.integer(2) << 15) | random.integer(0x7c00))),
});
/** Indices below `limit`, repeated at will, or each at most once. */
const indices = (limit: Dim, ...shape: Dim[]): CaseInput => ({
  shape,
  dtype: "int64",
  limit,
  draw: (random, count, below) => Array.from({ length: count }, () => random.integer(below)),
});
const distinct = (limit: Dim, count: Dim): CaseInput => ({
  shape: [count],
  dtype: "int64",
  limit,
  draw: (random, n, below) => random.shuffle([...Array(below).keys()]).slice(0, n),
});

const of = (op: OpName, cases: Record<string, Omit<OpCase, "op" | "name">>): OpCase[] =>
  Object.entries(cases).map(([name, rest]) => ({ op, name, ...rest }));

function unary(op: OpName, build: (x: Value) => Value, draw = normal): OpCase[] {
  return of(op, {
    scalar: { inputs: [draw()], build },
    "rank 1 of size 1": { inputs: [draw(1)], build },
    "rank 3": { inputs: [draw(3, 1, 5)], build },
    "rank 4": { inputs: [draw(2, 3, 1, 4)], build },
    "symbolic sizes": { inputs: [draw(B, T, 3)], build },
  });
}

function binary(op: OpName, build: (a: Value, b: Value) => Value, second = normal): OpCase[] {
  return of(op, {
    "two scalars": { inputs: [normal(), second()], build },
    "equal shapes": { inputs: [normal(2, 3), second(2, 3)], build },
    "scalar left": { inputs: [normal(), second(2, 3)], build },
    "scalar right": { inputs: [normal(2, 3), second()], build },
    "row right": { inputs: [normal(2, 3, 4), second(4)], build },
    "row left": { inputs: [normal(4), second(2, 3, 4)], build },
    "ones on both sides": { inputs: [normal(3, 1, 2), second(1, 5, 2)], build },
    "rank 4 and rank 2": { inputs: [normal(2, 3, 1, 4), second(5, 1)], build },
    "symbolic and rank 1 of size 1": { inputs: [normal(B, T), second(1)], build },
    "symbolic both ways": { inputs: [normal(B, 1, 3), second(T, 1)], build },
    "one operand twice": { inputs: [second(2, 3)], build: (x) => build(x!, x!) },
  });
}

const FLAGS = [false, true] as const;

function products(): OpCase[] {
  const list: OpCase[] = [];
  for (const transA of FLAGS)
    for (const transB of FLAGS)
      for (const alpha of [1, -0.37]) {
        const options = { transA, transB, alpha };
        const a = (m: Dim, k: Dim) => (transA ? [k, m] : [m, k]);
        const b = (k: Dim, n: Dim) => (transB ? [n, k] : [k, n]);
        const title = `transA ${transA}, transB ${transB}, alpha ${alpha}`;
        const matmul = (x: Value, y: Value) => g.matmul(x, y, options);
        const gemm = (x: Value, y: Value, c?: Value) => g.gemm(x, y, { ...options, c });
        list.push(
          ...of("matmul", {
            [`rank 2, ${title}`]: { inputs: [normal(...a(3, 4)), normal(...b(4, 5))], build: matmul },
            [`rank 4, ${title}`]: { inputs: [normal(2, 3, ...a(3, 2)), normal(2, 3, ...b(2, 5))], build: matmul },
            [`rank 2 and 3, ${title}`]: { inputs: [normal(...a(3, 4)), normal(2, ...b(4, 2))], build: matmul },
            [`rank 3 and 2, ${title}`]: { inputs: [normal(2, ...a(3, 4)), normal(...b(4, 2))], build: matmul },
            [`batch axes broadcast, ${title}`]: {
              inputs: [normal(3, 1, ...a(2, 4)), normal(1, 2, ...b(4, 3))],
              build: matmul,
            },
            [`symbolic, ${title}`]: { inputs: [normal(B, 2, ...a(T, 3)), normal(B, 2, ...b(3, T))], build: matmul },
          }),
          ...of("gemm", {
            [`no c, ${title}`]: { inputs: [normal(...a(3, 4)), normal(...b(4, 5))], build: gemm },
            [`c [m, n], ${title}`]: { inputs: [normal(...a(3, 4)), normal(...b(4, 5)), normal(3, 5)], build: gemm },
            [`symbolic, c [n], ${title}`]: {
              inputs: [normal(...a(mulDims(B, T), 4)), normal(...b(4, 3)), normal(3), normal(B, T)],
              build: (x, y, c, witness) => [gemm(x!, y!, c), witness!],
            },
          }),
        );
      }
  const withC = (...c: Dim[]) => ({
    inputs: [normal(3, 4), normal(4, 5), normal(...c)],
    build: (x: Value, y: Value, z: Value) => g.gemm(x, y, { alpha: 1.5, c: z }),
  });
  list.push(
    ...of("gemm", {
      "c []": withC(),
      "c [n]": withC(5),
      "c [1]": withC(1),
      "c [1, n]": withC(1, 5),
      "c [m, 1]": withC(3, 1),
      "c [1, 1]": withC(1, 1),
      "in blocks of rows": { inputs: [normal(6, 4), normal(4, 5)], build: (x, y) => g.gemm(x!, y!, { rowsPerBlock: 3, alpha: 0.7 }) }, // biome-ignore format: one line
      "in blocks, transB, c [n], symbolic": {
        inputs: [normal(mulDims(2, B, T), 4), normal(5, 4), normal(5), normal(B, T)],
        build: (x, y, c, witness) => [g.gemm(x!, y!, { transB: true, c: c!, rowsPerBlock: mulDims(2, B) }), witness!],
      },
      "in blocks, c [m, n] and c [1, n], symbolic": {
        inputs: [normal(mulDims(2, B), 4), normal(4, 3), normal(mulDims(2, B), 3), normal(1, 3)],
        build: (x, y, c, d) => {
          const first = g.gemm(x!, y!, { c: c!, rowsPerBlock: B });
          return g.add(first, g.gemm(x!, y!, { c: d!, rowsPerBlock: 2 }));
        },
      },
      "one row, one column": { inputs: [normal(1, 4), normal(4, 1)], build: (x, y) => g.gemm(x!, y!) },
      "a matrix and itself": { inputs: [normal(3, 3)], build: (x) => g.gemm(x!, x!, { transB: true, c: x! }) },
    }),
    ...of("matmul", {
      "a tensor and itself": { inputs: [normal(2, 3, 3)], build: (x) => g.matmul(x!, x!, { transB: true }) },
    }),
  );
  return list;
}

function convolutions(): OpCase[] {
  const conv = (options: g.Conv1dOptions) => (x: Value, w: Value, bias?: Value) =>
    g.conv1d(x, w, bias ?? null, options);
  return of("conv1d", {
    "kernel 1": { inputs: [normal(2, 3, 5), normal(4, 3, 1), normal(4)], build: conv({}) },
    "kernel 3, no bias": { inputs: [normal(2, 3, 7), normal(4, 3, 3)], build: conv({}) },
    "kernel as long as the input": { inputs: [normal(1, 2, 4), normal(3, 2, 4), normal(3)], build: conv({}) },
    "even kernel, same length": {
      inputs: [normal(2, 2, 7), normal(3, 2, 4), normal(3)],
      build: conv({ padding: [2, 1] }),
    },
    "even kernel, padding on both sides": { inputs: [normal(1, 2, 6), normal(2, 2, 2)], build: conv({ padding: [1, 1] }) }, // biome-ignore format: one line
    "padding wider than the kernel": { inputs: [normal(1, 2, 4), normal(3, 2, 2)], build: conv({ padding: [3, 2] }) },
    "padding on the left alone": { inputs: [normal(1, 2, 6), normal(2, 2, 3)], build: conv({ padding: [2, 0] }) },
    "groups with asymmetric padding": {
      inputs: [normal(3, 6, 8), normal(9, 2, 3), normal(9)],
      build: conv({ groups: 3, padding: [0, 2] }),
    },
    "depthwise, even kernel": { inputs: [normal(2, 4, 6), normal(4, 1, 4)], build: conv({ groups: 4, padding: [2, 2] }) }, // biome-ignore format: one line
    "symbolic, groups": {
      inputs: [normal(B, 4, T), normal(6, 2, 4), normal(6)],
      build: conv({ groups: 2, padding: [2, 1] }),
    },
    "stride 2": { inputs: [normal(2, 3, 9), normal(4, 3, 3), normal(4)], build: conv({ stride: 2 }), gradient: false },
    "symbolic, stride 2, groups, padding": {
      inputs: [normal(B, 4, T), normal(4, 2, 3)],
      build: conv({ stride: 2, groups: 2, padding: [1, 0] }),
      gradient: false,
    },
    "symbolic, stride 3, two layers": {
      inputs: [normal(B, 1, mulDims(3, T)), normal(2, 1, 4), normal(2, 2, 2), normal(B, T)],
      build: (x, w, v, witness) => [g.conv1d(g.conv1d(x!, w!, null, { stride: 3 }), v!, null, { stride: 2 }), witness!],
      gradient: false,
    },
  });
}

function reductions(op: "sum" | "mean" | "max", reduce: typeof g.sum): OpCase[] {
  const over = (axes: readonly number[], keepDims = false) => (x: Value) => reduce(x, axes, keepDims); // biome-ignore format: one line
  return of(op, {
    "all axes": { inputs: [normal(2, 3, 4)], build: over([0, 1, 2]) },
    "all axes, kept": { inputs: [normal(2, 3)], build: over([0, 1], true) },
    "last axis by -1, kept": { inputs: [normal(2, 3, 4)], build: over([-1], true) },
    "outer axes, unordered": { inputs: [normal(2, 3, 1, 4)], build: over([2, 0]) },
    "middle axis of size 1": { inputs: [normal(2, 1, 3)], build: over([1]) },
    "rank 1": { inputs: [normal(5)], build: over([0]) },
    "symbolic axes": { inputs: [normal(B, T, 3)], build: over([0, 1]) },
    "symbolic axis, kept": { inputs: [normal(B, T, 2)], build: over([1], true) },
  });
}

function shapeOps(): OpCase[] {
  const half = floorDivDim(T, 2);
  return [
    ...of("reshape", {
      "rank 0 to rank 3": { inputs: [normal()], build: (x) => g.reshape(x!, [1, 1, 1]) },
      "to rank 0": { inputs: [normal(1, 1)], build: (x) => g.reshape(x!, []) },
      numbers: { inputs: [normal(2, 3, 4)], build: (x) => g.reshape(x!, [4, 6]) },
      "two symbols merged": { inputs: [normal(B, T, 3)], build: (x) => g.reshape(x!, [mulDims(B, T), 3]) },
      "two symbols split": {
        inputs: [normal(mulDims(B, T), 4), normal(B, T)],
        build: (x, witness) => [g.reshape(x!, [B, T, 2, 2]), witness!],
      },
      "one symbol": { inputs: [normal(T, 6)], build: (x) => g.reshape(x!, [2, T, 3]) },
    }),
    ...of("transpose", {
      "rank 2": { inputs: [normal(2, 3)], build: (x) => g.transpose(x!, [1, 0]) },
      "rank 4, a cycle": { inputs: [normal(2, 3, 4, 1)], build: (x) => g.transpose(x!, [2, 0, 3, 1]) },
      symbolic: { inputs: [normal(B, T, 2, 3)], build: (x) => g.transpose(x!, [0, 2, 1, 3]) },
    }),
    ...of("broadcast", {
      "scalar to rank 2": { inputs: [normal()], build: (x) => g.broadcast(x!, [2, 3]) },
      "axis of size 1": { inputs: [normal(2, 1, 3)], build: (x) => g.broadcast(x!, [2, 4, 3]) },
      "new axes": { inputs: [normal(3)], build: (x) => g.broadcast(x!, [2, 1, 3]) },
      symbolic: {
        inputs: [normal(B, 1, 3), normal(T)],
        build: (x, witness) => [g.broadcast(x!, [2, B, T, 3]), witness!],
      },
    }),
    ...of("slice", {
      start: { inputs: [normal(5, 3)], build: (x) => g.slice(x!, 0, 0, 2) },
      "end of the last axis": { inputs: [normal(2, 5)], build: (x) => g.slice(x!, 1, 3, 5) },
      "nothing, beside something": {
        inputs: [normal(2, 5)],
        build: (x) => g.concat([g.slice(x!, 1, 2, 2), g.slice(x!, 1, 1, 3)], 1),
      },
      "symbolic bounds": { inputs: [normal(B, T, 2)], build: (x) => g.slice(x!, 1, half, T) },
      "symbolic end below the size": { inputs: [normal(T, B)], build: (x) => g.slice(x!, 0, 1, addDims(T, -2)) },
      reverse: { inputs: [normal(2, 3, 4)], build: (x) => g.reverse(x!, 1) },
      "reverse of a symbolic axis": { inputs: [normal(B, T)], build: (x) => g.reverse(x!, 1) },
    }),
    ...of("concat", {
      "two parts": { inputs: [normal(2, 3), normal(1, 3)], build: (a, b) => g.concat([a!, b!], 0) },
      "three parts, last axis": {
        inputs: [normal(2, 3), normal(2, 1), normal(2, 4)],
        build: (...x) => g.concat(x, 1),
      },
      "one value twice": { inputs: [normal(2, 3)], build: (x) => g.concat([x!, x!], 1) },
      symbolic: { inputs: [normal(B, T, 2), normal(B, 3, 2), normal(B, T, 2)], build: (...x) => g.concat(x, 1) },
    }),
    ...of("pad", {
      "both sides": { inputs: [normal(2, 3)], build: (x) => g.pad(x!, 1, 2, 1) },
      before: { inputs: [normal(3)], build: (x) => g.pad(x!, 0, 4, 0) },
      crop: { inputs: [normal(2, 6, 2)], build: (x) => g.pad(x!, 1, -1, -2) },
      "crop and pad": { inputs: [normal(5, 2)], build: (x) => g.pad(x!, 0, -2, 3) },
      "symbolic amounts": { inputs: [normal(B, T, 2)], build: (x) => g.pad(x!, 1, half, addDims(T, -3)) },
      "symbolic crop": { inputs: [normal(B, T)], build: (x) => g.pad(x!, 1, mulDims(-1, half), 0) },
    }),
  ];
}

function indexOps(): OpCase[] {
  const scatter = (size: Dim) => (at: Value, updates: Value, base?: Value) => g.scatterAddRows(at, updates, size, base);
  return [
    ...of("gather", {
      "rows, unique": { inputs: [normal(5, 3), distinct(5, 3)], build: (x, i) => g.gather(x!, i!, 0, true) },
      "entries of rank 1, unique": { inputs: [normal(6), distinct(6, 4)], build: (x, i) => g.gather(x!, i!, 0, true) },
      "blocks of rank 3, unique, symbolic": {
        inputs: [normal(T, 2, 3), distinct(T, 4)],
        build: (x, i) => g.gather(x!, i!, 0, true),
      },
      "rank 0 index": { inputs: [normal(4, 3), indices(4)], build: (x, i) => g.gather(x!, i!), gradient: false },
      "repeated rows": { inputs: [normal(3, 2), indices(3, 7)], build: (x, i) => g.gather(x!, i!), gradient: false },
      "rank 2 index": { inputs: [normal(4, 3), indices(4, 2, 5)], build: (x, i) => g.gather(x!, i!), gradient: false },
      "middle axis": {
        inputs: [normal(2, 4, 3), indices(4, 5)],
        build: (x, i) => g.gather(x!, i!, 1),
        gradient: false,
      },
      "last axis, rank 2 index, symbolic": {
        inputs: [normal(B, T), indices(T, B, 3)],
        build: (x, i) => g.gather(x!, i!, 1),
        gradient: false,
      },
    }),
    ...of("scatterAddRows", {
      "zeros, rank 1": { inputs: [distinct(5, 3), normal(3)], build: scatter(5) },
      "zeros, rank 3": { inputs: [distinct(4, 2), normal(2, 3, 2)], build: scatter(4) },
      "base, rank 2": { inputs: [distinct(5, 3), normal(3, 2), normal(5, 2)], build: scatter(5) },
      "zeros, symbolic": {
        inputs: [distinct(T, 4), normal(4, 2), normal(T)],
        build: (i, u, witness) => [scatter(T)(i!, u!), witness!],
      },
      "base, symbolic": { inputs: [distinct(T, B), normal(B, 2), normal(T, 2)], build: scatter(T) },
    }),
    ...of("iota", {
      "of a number": { inputs: [], build: () => g.iota(5) },
      "of a symbol": { inputs: [normal(T)], build: (x) => [g.iota(T), x!] },
      "of a floored size": {
        inputs: [normal(B, T)],
        build: (x) => [g.iota(addDims(floorDivDim(addDims(mulDims(B, T), 3), 4), 1)), x!],
      },
    }),
    ...of("dimension", {
      "of a symbol": { inputs: [normal(B, T)], build: (x) => g.add(x!, g.dimension(T)) },
      "of a polynomial": {
        inputs: [normal(B, T)],
        build: (x) => g.add(x!, g.dimension(addDims(mulDims(3, B, T), mulDims(-1, T), 7))),
      },
      "of nested floors": {
        inputs: [normal(T)],
        build: (x) => g.mul(x!, g.dimension(floorDivDim(addDims(floorDivDim(addDims(T, -1), 2), 5), 3))),
      },
    }),
  ];
}

const casts: OpCase[] = of("cast", {
  "int64 to float32": { inputs: [integers(2, 3)], build: (x) => g.cast(x!, "float32") },
  "uint8 to float32": { inputs: [mask(2, 3)], build: (x) => g.cast(x!, "float32") },
  "bool to float32": { inputs: [flags(5)], build: (x) => g.cast(x!, "float32") },
  "float32 to int64, towards zero": { inputs: [large(9)], build: (x) => g.cast(x!, "int64") },
  "float32 to uint8": { inputs: [positive(9)], build: (x) => g.cast(x!, "uint8") },
  "float32 to bool": { inputs: [normal(4)], build: (x) => g.cast(g.mul(x!, g.cast(g.less(x!, 0), "float32")), "bool") },
  "bool to uint8 to int64": { inputs: [flags(B)], build: (x) => g.cast(g.cast(x!, "uint8"), "int64") },
  "int64 to bool": { inputs: [integers(T)], build: (x) => g.cast(x!, "bool") },
  "float16 to float32": { inputs: [halves(40)], build: (x) => g.cast(x!, "float32") },
  "subnormal halves to float32": {
    inputs: [{ ...halves(40), draw: draws((random) => halfToFloat(random.integer(0x400))) }],
    build: (x) => g.mul(g.cast(x!, "float32"), 2 ** 14),
  },
  "float16 moved about, symbolic": {
    inputs: [halves(B, T, 3), halves(B, 2, 3)],
    build: (x, y) => {
      const joined = g.concat([g.slice(x!, 1, 1, T), g.reshape(y!, [B, 2, 3])], 1);
      const turned = g.transpose(g.gather(joined, g.iota(2), 2), [1, 2, 0]);
      return g.cast(g.reshape(g.reverse(turned, 0), [addDims(T, 1), mulDims(2, B)]), "float32");
    },
  },
  "a comparison to float32": { inputs: [normal(7)], build: (x) => g.cast(g.less(x!, 0.2), "float32") },
});

const norms: OpCase[] = [
  ...of("softmax", {
    "rank 1": { inputs: [normal(5)], build: (x) => g.softmax(x!) },
    "one entry": { inputs: [normal(3, 1)], build: (x) => g.softmax(x!) },
    "rank 4": { inputs: [normal(2, 3, 2, 4)], build: (x) => g.softmax(x!) },
    "large values": { inputs: [farAway(2, 4)], build: (x) => g.softmax(x!) },
    "symbolic axis": { inputs: [normal(B, 2, T, T)], build: (x) => g.softmax(x!) },
  }),
  ...of("layerNorm", {
    "rank 2": {
      inputs: [normal(3, 5), normal(5), normal(5)],
      build: (x, w, b) => g.layerNormWithStatistics(x!, w!, b!, 1e-5),
    },
    "rank 1": { inputs: [normal(6), normal(6), normal(6)], build: (x, w, b) => g.layerNorm(x!, w!, b!, 1e-5) },
    "rank 4, large epsilon": {
      inputs: [normal(2, 1, 3, 4), normal(4), normal(4)],
      build: (x, w, b) => g.layerNorm(x!, w!, b!, 0.5),
    },
    symbolic: {
      inputs: [normal(B, T, 4), normal(4), normal(4)],
      build: (x, w, b) => g.layerNormWithStatistics(x!, w!, b!, 1e-5),
    },
    "shared weight": { inputs: [normal(3, 4), normal(4)], build: (x, w) => g.layerNorm(x!, w!, w!, 1e-5) },
  }),
];

const pointwise: OpCase[] = [
  ...unary("neg", g.neg),
  ...unary("exp", g.exp),
  ...unary("log", g.log, positive),
  ...unary("sqrt", g.sqrt, positive),
  ...unary("erf", g.erf),
  ...unary("abs", g.abs, apart),
  ...unary("sign", g.sign, apart),
  ...unary("sigmoid", g.sigmoid),
  ...unary("tanh", g.tanh),
  ...unary("gelu", g.gelu),
  ...of("gelu", { "far from zero": { inputs: [large(3, 7)], build: (x) => g.gelu(x!) } }),
  ...of("sign", { "zero and negative zero": { inputs: [], build: () => g.sign(constant({ shape: [3], data: Float32Array.of(0, -0, 2) })) } }), // biome-ignore format: one line
  ...of("geluBackward", {
    "rank 2": { inputs: [normal(3, 5), normal(3, 5)], build: (x, ct) => g.geluBackward(x!, ct!) },
    "far from zero": { inputs: [large(20), normal(20)], build: (x, ct) => g.geluBackward(x!, ct!) },
    symbolic: { inputs: [normal(B, T), normal(B, T)], build: (x, ct) => g.geluBackward(x!, ct!) },
  }),
  ...of("clip", {
    "float32, both ends": { inputs: [normal(4, 5)], build: (x) => g.clip(x!, -0.5, 0.25) },
    "float32, open above": { inputs: [normal(B, T)], build: (x) => g.clip(x!, 0, Number.POSITIVE_INFINITY) },
    int64: { inputs: [integers(3, 4)], build: (x) => g.clip(x!, -2, 5) },
    "int64 positions of a symbolic axis": { inputs: [normal(T)], build: (x) => [g.clip(g.iota(T), 1, 4), x!] },
  }),
  ...of("dropout", {
    "rank 2": { inputs: [normal(4, 5), mask(4, 5)], build: (x, m) => g.dropout(x!, m!, 0.1) },
    "rate 0": { inputs: [normal(6), mask(6)], build: (x, m) => g.dropout(x!, m!, 0) },
    symbolic: { inputs: [normal(B, T, 2), mask(B, T, 2)], build: (x, m) => g.dropout(x!, m!, 0.5) },
  }),
  // The value is the input's; what its cotangent becomes is not a derivative and is tested on its own.
  ...of("scaleGradient", {
    "of an input": { inputs: [normal(2, 3)], build: (x) => g.scaleGradient(x!, 0.1), gradient: false },
    "of a sum": { inputs: [normal(B, T)], build: (x) => g.neg(g.scaleGradient(g.add(x!, x!), 2)), gradient: false },
  }),
  ...of("constant", {
    float32: {
      inputs: [normal(2, 3)],
      build: (x) => g.mul(x!, constant({ shape: [3], data: Float32Array.of(1, -2, 0.5) })),
    },
    int64: { inputs: [], build: () => constant({ shape: [2, 1], data: BigInt64Array.of(3n, -(2n ** 40n)) }) },
    "rank 0": { inputs: [normal()], build: (x) => g.add(x!, scalar(0.1)) },
  }),
  ...of("input", {
    "rank 0": { inputs: [normal()], build: (x) => x! },
    symbolic: { inputs: [normal(B, T)], build: (x) => x! },
    uint8: { inputs: [mask(3)], build: (x) => x! },
  }),
];

/** Frames valid with the given pattern, [time, batch, 1]; items of different lengths as a packed sequence has them. */
const lengths = (time: Dim, batch: Dim, every = 0): CaseInput => ({
  shape: [time, batch, 1],
  dtype: "uint8",
  draw: (_, count) => Array.from({ length: count }, (_, i) => (every > 0 && i % every === every - 1 ? 0 : 1)),
});
const recurrences: OpCase[] = [
  ...of("lstm", {
    forward: {
      inputs: [normal(5, 2, 12), normal(12, 3), lengths(5, 2)],
      build: (x, w, v) => g.lstm(x!, w!, g.cast(v!, "float32"), false),
    },
    reverse: {
      inputs: [normal(5, 2, 12), normal(12, 3), lengths(5, 2)],
      build: (x, w, v) => g.lstm(x!, w!, g.cast(v!, "float32"), true),
    },
    "symbolic, invalid frames": {
      inputs: [normal(T, B, 8), normal(8, 2), lengths(T, B, 4)],
      build: (x, w, v) => g.lstm(x!, w!, g.cast(v!, "float32"), false),
    },
    "symbolic, invalid frames, reverse": {
      inputs: [normal(T, B, 8), normal(8, 2), lengths(T, B, 4)],
      build: (x, w, v) => g.lstm(x!, w!, g.cast(v!, "float32"), true),
    },
    "one frame, one unit": {
      inputs: [normal(1, 1, 4), normal(4, 1), lengths(1, 1)],
      build: (x, w, v) => g.lstm(x!, w!, g.cast(v!, "float32"), false),
    },
  }),
  ...of("lstmBackward", {
    "of its own forward pass": {
      inputs: [normal(T, B, 2), normal(T, B, 8), normal(8, 2), lengths(T, B, 5)],
      build: (ct, x, w, v) => {
        const valid = g.cast(v!, "float32");
        const [, cell, gates] = g.lstm(x!, w!, valid, true);
        return g.lstmBackward([ct, w, valid, cell, gates], true);
      },
    },
  }),
];

export const OP_CASES: readonly OpCase[] = [
  ...pointwise,
  ...binary("add", g.add),
  ...binary("sub", g.sub),
  ...binary("mul", g.mul),
  ...binary("div", g.div, apart),
  ...binary("less", g.less),
  ...of("add", { int64: { inputs: [integers(2, 3), integers(3)], build: (a, b) => g.add(a!, b!) } }),
  ...of("sub", { int64: { inputs: [integers(3), integers(2, 1)], build: (a, b) => g.sub(a!, b!) } }),
  ...of("mul", { int64: { inputs: [integers(2, 3), integers()], build: (a, b) => g.mul(a!, b!) } }),
  ...of("less", { "int64 positions": { inputs: [integers(B, 1)], build: (n) => g.less(g.iota(6), n!) } }),
  ...of("sum", { int64: { inputs: [integers(2, 3)], build: (x) => g.sum(x!, [1]) } }),
  ...casts,
  ...products(),
  ...convolutions(),
  ...reductions("sum", g.sum),
  ...reductions("mean", g.mean),
  ...reductions("max", g.max),
  ...norms,
  ...recurrences,
  ...shapeOps(),
  ...indexOps(),
];

/** Ops whose gradient is that of finite differences; the rest have none (`NO_GRADIENT` says why). */
export const NO_GRADIENT: ReadonlyMap<OpName, string> = new Map<OpName, string>([
  ["constant", "nothing to differentiate by; its cases still differentiate by their inputs"],
  ["iota", "integers"],
  ["dimension", "depends on sizes alone"],
  ["less", "bool"],
  ["sign", "zero almost everywhere: no cotangent flows"],
  ["cast", "between types; only float32 carries a cotangent"],
  ["scaleGradient", "deliberately not a derivative"],
  ["clip", "used on indices and lengths; refuses"],
  ["max", "used for stability and metrics; refuses"],
  ["geluBackward", "second derivatives are not needed; refuses"],
  ["lstmBackward", "second derivatives are not needed; refuses"],
]);
