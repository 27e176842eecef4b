// Self-attention that computes its map, or takes over the map of an earlier layer.
import { type Dim, fixedDim, mulDims, subDims } from "../graph/dim.ts";
import * as g from "../graph/ops.ts";
import { constant, type Value } from "../graph/value.ts";
import { linear } from "./linear.ts";
import { queryBlocks, type Rows, rowsOf } from "./query-blocks.ts";
import type { ParameterLookup } from "./scope.ts";

export interface AttentionShape {
  readonly batch: Dim;
  readonly time: Dim;
  readonly heads: number;
  /** Size of one head. */
  readonly headDim: number;
  /** Which heads of the position bias the layer has; absent or null: all. */
  readonly biasHeads?: readonly number[] | null;
}

/** What masks and shifts the scores of every layer. */
export interface ScoreBias {
  /** 0 at valid keys, very negative at padded ones: [batch, 1, time, 1]. */
  readonly keys: Value | null;
  /** The key bias rides in the product; else it is added to the scores, which engines that fuse do without another pass. */
  readonly keysInProduct: boolean;
  /** WavLM's relative position bias before gating: [1, heads, query, key]. */
  readonly positions: Rows | null;
}

/** Scores below this never survive a softmax in float32. */
export const MASKED_SCORE = -1e9;

/** [rows, dim] -> [batch, heads, time, headDim]. */
const splitHeads = (x: Value, { batch, time, heads, headDim }: AttentionShape): Value =>
  g.transpose(g.reshape(x, [batch, time, heads, headDim]), [0, 2, 1, 3]);

/** [batch, heads, time, headDim] -> [rows, dim]. */
const mergeHeads = (x: Value, { batch, time, heads, headDim }: AttentionShape): Value =>
  g.reshape(g.transpose(x, [0, 2, 1, 3]), [mulDims(batch, time), heads * headDim]);

/**
 * The attention map softmax(Q K^T / sqrt(headDim) + bias), [batch, heads, query, key]. A key bias in the product is one more
 * column of Q (ones) and K (the bias), so the map-sized tensor is not passed over again for it.
 */
function attentionMap(p: ParameterLookup, x: Value, shape: AttentionShape, bias: ScoreBias): Rows {
  const { positions } = bias;
  const alpha = 1 / Math.sqrt(shape.headDim);
  let query = splitHeads(linear(p, "q_proj", x), shape);
  let key = splitHeads(linear(p, "k_proj", x), shape);
  if (bias.keys && bias.keysInProduct) {
    const column = [shape.batch, shape.heads, shape.time, 1];
    query = g.concat([query, g.broadcast(g.dimension(1), column)], 3);
    key = g.concat([key, g.broadcast(g.mul(bias.keys, 1 / alpha), column)], 3);
  }
  const added = bias.keysInProduct ? null : bias.keys && asRow(bias.keys, shape);
  const scores: Rows = (start, end) => {
    const products = g.matmul(g.slice(query, 2, start, end), key, { transB: true, alpha });
    return added ? g.add(products, added) : products;
  };
  if (!positions) return rowsOf(shape.time, (start, end) => g.softmax(scores(start, end)));
  const { biasHeads } = shape;
  const own = (value: Value) => (biasHeads ? g.gather(value, int64List(biasHeads), 1) : value);
  const gate = positionGate(p, x, { ...shape, heads: fixedDim(p("gru_rel_pos_const").shape[1]) });
  return rowsOf(shape.time, (start, end) =>
    g.softmax(g.add(scores(start, end), g.mul(own(positions(start, end)), own(g.slice(gate, 2, start, end))))),
  );
}

const int64List = (numbers: readonly number[]): Value =>
  constant({ shape: [numbers.length], data: BigInt64Array.from(numbers, BigInt) });

/** WavLM's gate of the relative position bias from all of the layer's input: [batch, heads, query, 1] (arXiv:2110.13900 eq. 4-6). */
function positionGate(p: ParameterLookup, x: Value, shape: AttentionShape): Value {
  const { batch, time, heads, headDim } = shape;
  const rows = g.reshape(x, [mulDims(batch, time, heads), headDim]);
  const parts = g.sum(g.reshape(linear(p, "gru_rel_pos_linear", rows), [batch, time, heads, 2, 4]), [4]);
  const gates = g.sigmoid(g.transpose(parts, [0, 2, 1, 3])); // [batch, heads, time, 2]
  const update = g.slice(gates, 3, 0, 1);
  const reset = g.slice(gates, 3, 1, 2);
  return g.add(g.mul(update, g.sub(g.mul(reset, p("gru_rel_pos_const")), 1)), 2);
}

/**
 * The map as the released code's reusing layer sees it: [head, batch] read as [batch, head], and softmax applied again,
 * with the padded keys of the item it now stands for masked out.
 */
export function officialReusedMap(map: Rows, { batch, time, heads }: AttentionShape, bias: ScoreBias): Rows {
  return rowsOf(time, (start, end) => {
    const rows = g.transpose(map(start, end), [1, 0, 2, 3]);
    const swapped = g.reshape(rows, [batch, heads, subDims(end, start), time]);
    return g.softmax(bias.keys ? g.add(swapped, asRow(bias.keys, { batch, time })) : swapped);
  });
}

/** [batch, 1, time, 1] -> [batch, 1, 1, time]: a bias of keys beside scores. */
const asRow = (keys: Value, { batch, time }: Pick<AttentionShape, "batch" | "time">): Value =>
  g.reshape(keys, [batch, 1, 1, time]);

/** out_proj(map V): [rows, dim], the map made and used in `blocks` blocks of queries. The map's dropout is the caller's. */
function applyMap(p: ParameterLookup, x: Value, map: Rows, shape: AttentionShape, blocks: number): Value {
  const values = splitHeads(linear(p, "v_proj", x), shape);
  const parts = queryBlocks(shape.time, blocks).map(([start, end]) => g.matmul(map(start, end), values));
  return linear(p, "out_proj", mergeHeads(g.concat(parts, 2), shape));
}

export interface AttentionOptions {
  readonly shape: AttentionShape;
  readonly bias: ScoreBias;
  /** The map to take over, already in this layer's reading; null: compute one. */
  readonly reused: Rows | null;
  /** Blocks of queries that the map is made in; 1: the whole at once. */
  readonly blocks: number;
}

/** Attention of one layer, its own map dropped out, and that map as it was computed: null where it reused one. */
export function selfAttention(
  p: ParameterLookup,
  x: Value,
  { shape, bias, reused, blocks }: AttentionOptions,
  dropout: (map: Value) => Value,
): { output: Value; map: Rows | null } {
  if (reused) return { output: applyMap(p, x, reused, shape, blocks), map: null };
  const map = attentionMap(p, x, shape, bias);
  const dropped: Rows = (start, end) => dropout(map(start, end));
  return { output: applyMap(p, x, dropped, shape, blocks), map };
}
