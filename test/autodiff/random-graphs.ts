// Random compositions of ops with shared subexpressions, for property tests of the gradient transform.
import fc from "fast-check";
import * as g from "../../src/graph/ops.ts";
import type { Value } from "../../src/graph/value.ts";
import { constant, input } from "../../src/graph/value.ts";
import { Random } from "../../src/random.ts";
import type { Tensor } from "../graph/reference.ts";
import { tabulate } from "../graph/reference.ts";

const SIDE = 4;
const MATRIX = [SIDE, SIDE];
const rows = (...at: bigint[]) => constant({ shape: [at.length], data: BigInt64Array.from(at) });
const firstRow = (x: Value) => g.reshape(g.slice(x, 0, 0, 1), [SIDE]);
const batched = (x: Value) => g.reshape(x, [1, SIDE, SIDE]);

const keepMask = () =>
  g.cast(constant({ shape: MATRIX, data: BigInt64Array.from({ length: SIDE * SIDE }, (_, i) => BigInt(+(i % 3 > 0))) }), "uint8"); // biome-ignore format: one line

/** Every step makes a new [4, 4] value of moderate size from three earlier ones, which may be one and the same. */
const STEPS = {
  add: (x, y) => g.add(x, y),
  sub: (x, y) => g.sub(x, y),
  mul: (x, y) => g.tanh(g.mul(x, y)),
  div: (x, y) => g.div(x, g.add(g.sigmoid(y), 1)),
  gemm: (x, y) => g.gemm(x, y, { alpha: 0.4 }),
  gemmTransposed: (x, y) => g.gemm(x, y, { transA: true, transB: true, alpha: -0.3 }),
  gemmAccumulated: (x, y, z) => g.gemm(x, y, { transB: true, alpha: 0.3, c: z }),
  gemmBias: (x, y, z) => g.gemm(x, y, { alpha: 0.3, c: firstRow(z) }),
  matmul: (x, y) => g.reshape(g.matmul(batched(x), y, { transA: true, alpha: 0.4 }), MATRIX),
  gelu: (x) => g.gelu(x),
  bell: (x) => g.exp(g.neg(g.mul(x, x))),
  softmax: (x) => g.softmax(x),
  layerNorm: (x, y, z) => g.layerNorm(x, firstRow(y), firstRow(z), 0.1),
  scatterOnBase: (x, y) => g.scatterAddRows(rows(3n, 0n), g.gather(x, rows(1n, 3n), 0, true), SIDE, y),
  scatterOnZeros: (x) => g.scatterAddRows(rows(2n, 1n, 3n), g.slice(x, 0, 1, 4), SIDE),
  gatherRows: (x) => g.gather(x, rows(2n, 0n, 3n, 1n), 0, true),
  swapHalves: (x, y) => g.concat([g.slice(x, 1, 2, 4), g.slice(y, 1, 0, 2)], 1),
  shift: (x) => g.pad(g.pad(x, 1, -1, 0), 1, 0, 1),
  dropout: (x, y) => g.dropout(g.sub(x, g.gelu(y)), keepMask(), 0.3),
  transpose: (x) => g.transpose(x, [1, 0]),
  reverse: (x) => g.reverse(x, 0),
  rowSums: (x, y) => g.add(g.mul(0.2, g.sum(x, [1], true)), y),
  columnMeans: (x, y) => g.mul(g.broadcast(g.mean(x, [0]), MATRIX), g.tanh(y)),
  conv: (x, y) => g.reshape(g.conv1d(batched(x), g.reshape(g.tanh(y), [SIDE, 2, 2]), null, { groups: 2, padding: [1, 0] }), MATRIX), // biome-ignore format: one line
} satisfies Record<string, (x: Value, y: Value, z: Value) => Value>;

type StepName = keyof typeof STEPS;
export interface Step {
  readonly step: StepName;
  readonly operands: readonly [number, number, number];
}

/** Few operand numbers, so that values are shared often. */
export const programs: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    step: fc.constantFrom(...(Object.keys(STEPS) as StepName[])),
    operands: fc.tuple(fc.nat(4), fc.nat(4), fc.nat(4)),
  }),
  { minLength: 1, maxLength: 9 },
);

/** The loss of a program: operands count back from the newest value; the loss sums the last two values. */
export function traceProgram(program: readonly Step[]) {
  const inputs = ["x0", "x1"].map((name) => input(name, MATRIX));
  const pool = [...inputs];
  for (const { step, operands } of program) {
    const [x, y, z] = operands.map((back) => pool[pool.length - 1 - (back % pool.length)]) as [Value, Value, Value];
    pool.push((STEPS[step] as (x: Value, y: Value, z: Value) => Value)(x, y, z));
  }
  const weights = input("weights", MATRIX);
  const loss = g.sumAll(g.mul(g.add(pool.at(-1)!, g.mul(pool.at(-2)!, 0.5)), weights));
  return { inputs, loss };
}

/** Values of the three inputs, float32 numbers. */
export function drawFeeds(seed: number): Map<string, Tensor> {
  const random = new Random(seed);
  return new Map(["x0", "x1", "weights"].map((name) => [name, tabulate(MATRIX, () => Math.fround(random.normal()))]));
}
