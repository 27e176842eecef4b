// The nearest centroid of every frame: products on the engine, and what they cannot decide, in double precision.
import { symbol } from "../graph/dim.ts";
import * as g from "../graph/ops.ts";
import { input } from "../graph/value.ts";
import type { Executable, Runtime } from "../runtime/runtime.ts";

/** Rows that are multiplied at once: bounds memory, and is the one size where every size is compiled. */
export const BLOCK_ROWS = 8192;

/** Engines of GPUs may round the operands of products to 11 bits (TF32). */
const ROUNDED_OPERANDS = 2 ** -10;
const FLOAT32_ROUNDING = 2 ** -24;

/** [clusters, dim], row-major. */
export interface Centroids {
  readonly data: Float32Array;
  readonly dim: number;
}

/** The nearest centroid of every frame, and the square of its distance. */
export interface Assigned {
  readonly units: Uint16Array;
  readonly squares: Float64Array;
}

export interface Nearest {
  /**
   * Of `frames` [rows, dim]; the first one where several are equally near. Exactly what sums in double precision say: the
   * engine's products only leave out centroids that cannot be nearest.
   */
  assign(frames: Float32Array, centroids: Centroids): Promise<Assigned>;
  dispose(): Promise<void>;
}

/** Compiles on first use. */
export function createNearest(runtime: Runtime): Nearest {
  let product: Promise<Executable> | undefined;
  const rounding = runtime.device === "cuda" || runtime.device === "webgpu" ? ROUNDED_OPERANDS : 0;
  return {
    async assign(frames, centroids) {
      const { dim } = centroids;
      product ??= runtime.compile(productGraph(dim));
      const rows = frames.length / dim;
      const units = new Uint16Array(rows);
      const squares = new Float64Array(rows);
      const judge = new Judge(centroids, rounding + dim * FLOAT32_ROUNDING);
      for (let from = 0; from < rows; from += BLOCK_ROWS) {
        const block = frames.subarray(from * dim, Math.min(rows, from + BLOCK_ROWS) * dim);
        const scores = await scoresOf(await product, runtime, block, centroids);
        judge.block(block, scores, units.subarray(from), squares.subarray(from));
      }
      return { units, squares };
    },
    async dispose() {
      await (await product)?.dispose();
      product = undefined;
    },
  };
}

/** x [rows, dim] times every centroid: [rows, clusters]. */
function productGraph(dim: number) {
  const x = input("x", [symbol("rows"), dim]);
  const c = input("c", [symbol("clusters"), dim]);
  return { name: "centroids", outputs: new Map([["scores", g.gemm(x, c, { transB: true })]]) };
}

async function scoresOf(
  product: Executable,
  { compilesShapes }: Runtime,
  block: Float32Array,
  { data, dim }: Centroids,
): Promise<Float32Array> {
  const rows = compilesShapes ? BLOCK_ROWS : block.length / dim;
  const x = rows * dim === block.length ? block : new Float32Array(rows * dim);
  if (x !== block) x.set(block);
  const feeds = { x: { shape: [rows, dim], data: x }, c: { shape: [data.length / dim, dim], data } };
  return (await product.run(feeds)).scores.data;
}

/** Decides by products of which the error is known. */
class Judge {
  private readonly centroids: Centroids;
  private readonly relativeError: number;
  private readonly norms: Float64Array;
  private readonly longest: number;

  constructor(centroids: Centroids, relativeError: number) {
    const { data, dim } = centroids;
    this.centroids = centroids;
    this.relativeError = relativeError;
    this.norms = Float64Array.from({ length: data.length / dim }, (_, j) => squareOf(data, j * dim, dim));
    this.longest = Math.sqrt(this.norms.reduce((most, norm) => Math.max(most, norm), 0));
  }

  /** `scores` [rows, clusters]. */
  block(frames: Float32Array, scores: Float32Array, units: Uint16Array, squares: Float64Array): void {
    const { norms, longest, relativeError } = this;
    const { dim } = this.centroids;
    const clusters = norms.length;
    for (let row = 0, at = 0; at < frames.length; row++, at += dim) {
      const first = row * clusters;
      let best = Number.POSITIVE_INFINITY;
      for (let j = 0; j < clusters; j++) best = Math.min(best, norms[j] - 2 * scores[first + j]);
      const error = 2 * relativeError * longest * Math.sqrt(squareOf(frames, at, dim));
      const limit = best + 2 * error;
      squares[row] = Number.POSITIVE_INFINITY;
      for (let j = 0; j < clusters; j++) {
        // not "above the limit", so that NaN is looked at, and told
        if (norms[j] - 2 * scores[first + j] > limit) continue;
        const square = squareBetween(frames, at, this.centroids.data, j * dim, dim);
        if (!(square >= squares[row])) [units[row], squares[row]] = [j, square];
      }
    }
  }
}

/** Of the distance between the vectors that begin at `i` and `j`. */
export function squareBetween(a: Float32Array, i: number, b: Float32Array, j: number, dim: number): number {
  let sum = 0;
  for (let d = 0; d < dim; d++) sum += (a[i + d] - b[j + d]) ** 2;
  return sum;
}

function squareOf(data: Float32Array, at: number, dim: number): number {
  let sum = 0;
  for (let d = 0; d < dim; d++) sum += data[at + d] ** 2;
  return sum;
}
