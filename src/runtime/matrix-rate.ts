// The matrix-multiply rate of this machine as it is now, of which every other speed is a share.
import { symbol } from "../graph/dim.ts";
import * as g from "../graph/ops.ts";
import { input } from "../graph/value.ts";
import type { Executable, Feed, Runtime } from "./runtime.ts";

const SIZE = 2048;
let cached: { executable: Executable; feeds: Record<string, Feed> } | undefined;

/** GFLOP/s: best of five products of 2048 x 2048 matrices. */
export async function matrixRate(runtime: Runtime): Promise<number> {
  if (!cached) {
    const rows = symbol("rows");
    const product = g.gemm(input("a", [rows, SIZE]), input("b", [SIZE, SIZE]));
    const matrix: Feed = { shape: [SIZE, SIZE], data: new Float32Array(SIZE * SIZE).fill(0.5) };
    const executable = await runtime.compile({ name: "rate", outputs: new Map([["product", product]]) });
    cached = { executable, feeds: { a: matrix, b: { ...matrix } } };
  }
  let best = Number.POSITIVE_INFINITY;
  const into = { product: new Float32Array(SIZE * SIZE) };
  for (let i = 0; i < 5; i++) {
    const start = performance.now();
    await cached.executable.run(cached.feeds, into);
    best = Math.min(best, performance.now() - start);
  }
  return (2 * SIZE ** 3) / best / 1e6;
}
