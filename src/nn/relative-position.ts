// WavLM's bucketed relative positions (arXiv:2110.13900 section III-A, buckets as in T5, arXiv:1910.10683).
import type { Dim } from "../graph/dim.ts";
import * as g from "../graph/ops.ts";
import { constant, int64Scalar, type Value } from "../graph/value.ts";

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

/** The bias table of all distances, gathered for `time` frames: [1, heads, query, key]. `embedding` is [buckets, heads]. */
export function relativePositionBias(
  embedding: Value,
  time: Dim,
  { buckets, maxDistance: reach }: { readonly buckets: number; readonly maxDistance: number },
): Value {
  const table = BigInt64Array.from({ length: 2 * reach + 1 }, (_, i) =>
    BigInt(relativeBucket(i - reach, buckets, reach)),
  );
  const byDistance = g.transpose(g.gather(embedding, constant({ shape: [table.length], data: table })), [1, 0]);
  const positions = g.iota(time);
  const distance = g.sub(g.reshape(positions, [1, time]), g.reshape(positions, [time, 1])); // [query, key]
  const index = g.add(g.clip(distance, -reach, reach), int64Scalar(reach));
  const bias = g.gather(byDistance, index, 1); // [heads, query, key]
  return g.reshape(bias, [1, ...bias.shape]);
}
