// WavLM's bucketed relative positions (arXiv:2110.13900 section III-A, buckets as in T5, arXiv:1910.10683).
import { type Dim, subDims } from "../graph/dim.ts";
import * as g from "../graph/ops.ts";
import { constant, int64Scalar, type Value } from "../graph/value.ts";
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

/**
 * The bias table of all distances, gathered for queries start to end of `time` frames: [1, heads, query, key]. `embedding` is
 * [buckets, heads].
 */
export function relativePositionBias(
  embedding: Value,
  time: Dim,
  { buckets, maxDistance: reach }: { readonly buckets: number; readonly maxDistance: number },
): Rows {
  const table = BigInt64Array.from({ length: 2 * reach + 1 }, (_, i) =>
    BigInt(relativeBucket(i - reach, buckets, reach)),
  );
  const byDistance = g.transpose(g.gather(embedding, constant({ shape: [table.length], data: table })), [1, 0]);
  const positions = g.iota(time);
  return rowsOf(time, (start, end) => {
    const queries = g.reshape(g.slice(positions, 0, start, end), [subDims(end, start), 1]);
    const distance = g.sub(g.reshape(positions, [1, time]), queries); // [query, key]
    const index = g.add(g.clip(distance, -reach, reach), int64Scalar(reach));
    const bias = g.gather(byDistance, index, 1); // [heads, query, key]
    return g.reshape(bias, [1, ...bias.shape]);
  });
}
