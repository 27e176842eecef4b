// LSTM layers, in one direction of time or both, with PyTorch's parameters, for batches of padded sequences as packed ones.
import { equalDims, floorDivDim, mulDims } from "../graph/dim.ts";
import * as g from "../graph/ops.ts";
import type { Value } from "../graph/value.ts";
import type { ParameterLookup } from "./scope.ts";

/**
 * What the backward pass of LSTM layers reads, by name: `l0.hidden`, `l0.cell`, `l0.gates`, the same for `l0_reverse`, and so
 * on. A step in two phases (autodiff/cut.ts) carries these over so that no recurrence runs twice.
 */
export type LstmTraces = Map<string, Value>;

/**
 * Where the number of frames is known to be a multiple of this (a number, or `mulDims(BLOCK_FRAMES, symbol("blocks"))`), the
 * large products go block by block, which takes a fifth off a layer's time. Frames past the end are as those of any padding.
 */
export const BLOCK_FRAMES = 16;

/** One direction of one layer: x [time, batch, in] -> [time, batch, hidden]; 0 at frames that `valid` leaves out. */
function direction(
  p: ParameterLookup,
  suffix: string,
  { x, valid, saved }: { readonly x: Value; readonly valid: Value; readonly saved?: LstmTraces },
  reverse: boolean,
): Value {
  const [time, batch, width] = x.shape;
  const bias = g.add(p(`bias_ih_${suffix}`), p(`bias_hh_${suffix}`));
  const rows = g.reshape(x, [mulDims(time, batch), width]);
  const whole = equalDims(time, mulDims(BLOCK_FRAMES, floorDivDim(time, BLOCK_FRAMES)));
  const rowsPerBlock = whole ? mulDims(BLOCK_FRAMES, batch) : undefined;
  const inputs = g.gemm(rows, p(`weight_ih_${suffix}`), { transB: true, c: bias, rowsPerBlock });
  const recurrent = p(`weight_hh_${suffix}`);
  const [hidden, cell, gates] = g.lstm(g.reshape(inputs, [time, batch, inputs.shape[1]]), recurrent, valid, reverse);
  for (const [part, value] of Object.entries({ hidden, cell, gates })) saved?.set(`${suffix}.${part}`, value);
  return hidden;
}

/**
 * One bidirectional layer. x [time, batch, in] and valid [time, batch, 1] (1 at true frames, which come first) ->
 * [time, batch, 2 hidden], forward direction first. Parameters `weight_ih_l<layer>` [4 hidden, in], `weight_hh_l<layer>`
 * [4 hidden, hidden], `bias_ih_l<layer>`, `bias_hh_l<layer>` [4 hidden], and the same with `_reverse`. The numbers are
 * those of PyTorch's LSTM on a packed sequence. What the backward pass will read is added to `saved`.
 */
export function biLstmLayer(p: ParameterLookup, layer: number, x: Value, valid: Value, saved?: LstmTraces): Value {
  const given = { x, valid, saved };
  return g.concat([direction(p, `l${layer}`, given, false), direction(p, `l${layer}_reverse`, given, true)], 2);
}

/** One layer forward in time alone, as `biLstmLayer`: x [time, batch, in] -> [time, batch, hidden]. */
export const lstmLayer = (p: ParameterLookup, layer: number, x: Value, valid: Value, saved?: LstmTraces): Value =>
  direction(p, `l${layer}`, { x, valid, saved }, false);
