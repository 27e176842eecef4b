// WavLM's bucketed relative positions (arXiv:2110.13900 section III-A, buckets as in T5, arXiv:1910.10683).
import { type Dim, mulDims, subDims } from "../graph/dim.ts";
import * as g from "../graph/ops.ts";
import { constant, int64Scalar, type Value } from "../graph/value.ts";
import { oneHot } from "./one-hot.ts";
import { type Rows, rowsOf } from "./query-blocks.ts";

/** Bucket of key position - query position, in float32 as the published code computes it. */
function relativeBucket(distance: number, buckets: number, maxDistance: number): number {
  const half = Math.floor(buckets / 2);
  const exact = Math.floor(half / 2);
  const side = distance > 0 ? half : 0;
  const size = Math.abs(distance);
  if (size < exact) return side + size;
  const ratio = Math.fround(Math.log(Math.fround(size / exact)));
  const scaled = Math.fround(Math.fround(ratio / Math.fround(Math.log(maxDistance / exact))) * (half - exact));
  return side + Math.min(half - 1, exact + Math.trunc(scaled));
}

interface Buckets {
  readonly buckets: number;
  readonly maxDistance: number;
}

/** The bucket of every distance from -maxDistance to maxDistance. */
function bucketTable({ buckets, maxDistance: reach }: Buckets): Value {
  const table = BigInt64Array.from({ length: 2 * reach + 1 }, (_, i) =>
    BigInt(relativeBucket(i - reach, buckets, reach)),
  );
  return constant({ shape: [table.length], data: table });
}

/**
 * The bias table of all distances, gathered for queries start to end of `time` frames: [1, heads, query, key]. `embedding` is
 * [buckets, heads].
 */
export function relativePositionBias(embedding: Value, time: Dim, options: Buckets): Rows {
  const { maxDistance: reach } = options;
  const byDistance = g.transpose(g.gather(embedding, bucketTable(options)), [1, 0]);
  const positions = g.iota(time);
  return rowsOf(time, (start, end) => {
    const queries = g.reshape(g.slice(positions, 0, start, end), [subDims(end, start), 1]);
    const distance = g.sub(g.reshape(positions, [1, time]), queries); // [query, key]
    const index = g.add(g.clip(distance, -reach, reach), int64Scalar(reach));
    const bias = g.gather(byDistance, index, 1); // [heads, query, key]
    return g.reshape(bias, [1, ...bias.shape]);
  });
}

/**
 * The same numbers by operations that have gradients: the bias of each distance is a product with the embeddings, and rows of
 * all distances, each read one place further on, are the table.
 */
export function trainedPositionBias(embedding: Value, time: Dim, options: Buckets): Rows {
  const { buckets, maxDistance: reach } = options;
  const [, heads] = embedding.shape;
  const positions = g.iota(time);
  // 0 to time - 1, then -time to -1
  const distances = g.concat([positions, g.sub(positions, g.int64Dimension(time))], 0);
  const bucket = g.gather(bucketTable(options), g.add(g.clip(distances, -reach, reach), int64Scalar(reach)));
  const byDistance = g.transpose(g.gemm(oneHot(bucket, buckets), embedding), [1, 0]); // [heads, 2 time]
  const [twice, shorter] = [mulDims(2, time), subDims(mulDims(2, time), 1)];
  const repeated = g.broadcast(g.reshape(byDistance, [heads, 1, twice]), [heads, time, twice]);
  const flat = g.slice(g.reshape(repeated, [heads, mulDims(time, twice)]), 1, 0, mulDims(time, shorter));
  // row q, column k: place k - q of all distances, counted round
  const table = g.slice(g.reshape(flat, [heads, time, shorter]), 2, 0, time);
  return rowsOf(time, (start, end) => g.slice(g.reshape(table, [1, heads, time, time]), 2, start, end));
}
