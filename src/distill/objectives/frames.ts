// Frames that losses are means over: which they are in a graph, and how many of them a whole batch has.
import * as g from "../../graph/ops.ts";
import { input, type Value } from "../../graph/value.ts";
import { BATCH } from "../../models/trace.ts";

/**
 * What means count: `frames`: all that are counted; `pairs`: pairs of true frames of one item; `masked`, `unmasked`: counted
 * frames of that kind that have a unit, where there are units.
 */
export type Counted = "frames" | "pairs" | "masked" | "unmasked";
const COUNTED: readonly Counted[] = ["frames", "pairs", "masked", "unmasked"];
export type FrameCounts = Readonly<Record<Counted, number>>;

/** What is known of the frames of a whole batch beside its speech: masks and units, [items, frames]. */
export interface FrameLabels {
  /** 1 where masked; absent: nowhere. */
  readonly mask?: Uint8Array;
  /** Unit of every frame, -1 where it has none. */
  readonly units?: BigInt64Array;
}

/** [batch, time, 1], 1 at masked and at unpadded frames; null: no frame is masked, none padded. */
export interface FrameMarks {
  readonly masked: Value | null;
  readonly valid: Value | null;
}

/** Frames of a batch in a graph, [batch, time, 1] each. */
export interface LossFrames extends FrameMarks {
  /** 1 at frames that count: true ones, or all. */
  readonly counted: Value;
  /** 1 at counted frames that are masked; null: none is. */
  readonly countedMasked: Value | null;
  readonly countedUnmasked: Value;
  /** The sum of `error` over the frames that `chosen` marks, divided by what the whole batch has of `over`: []. */
  mean(error: Value, chosen: Value, over: Counted): Value;
  /** A sum over frames, or pairs of them, divided likewise. */
  per(sum: Value, over: Counted): Value;
}

/** The graph's input for a count of the whole batch: a part of it adds its part of the mean. */
const countName = (over: Counted): string => `count.${over}`;

/** Frames of features [batch, time, dim]. `countPaddedFrames`: padding counts as unmasked frames (the released code). */
export function lossFrames(features: Value, { masked, valid }: FrameMarks, countPaddedFrames: boolean): LossFrames {
  const counted = valid && !countPaddedFrames ? valid : g.broadcast(g.dimension(1), [BATCH, features.shape[1], 1]);
  const countedMasked = masked && g.mul(masked, counted);
  const inputs = new Map<Counted, Value>();
  const count = (over: Counted) => {
    const known = inputs.get(over) ?? input(countName(over), []);
    inputs.set(over, known);
    return known;
  };
  return {
    masked,
    valid,
    counted,
    countedMasked,
    countedUnmasked: countedMasked ? g.sub(counted, countedMasked) : counted,
    mean: (error, chosen, over) => g.div(g.sumAll(g.mul(error, chosen)), count(over)),
    per: (sum, over) => g.div(sum, count(over)),
  };
}

/** What a batch has of everything that means count; `valid` frames of `frames` in each item. */
export function countFrames(
  { frames, valid }: { readonly frames: number; readonly valid: readonly number[] },
  { mask, units }: FrameLabels,
  countPaddedFrames: boolean,
): FrameCounts {
  let [masked, labelled, all, pairs] = [0, 0, 0, 0];
  for (const [item, own] of valid.entries()) {
    const counted = countPaddedFrames ? frames : own;
    all += counted;
    pairs += own * own;
    for (let at = item * frames; at < item * frames + counted; at++) {
      if (units && units[at] < 0n) continue;
      labelled++;
      if (mask?.[at] === 1) masked++;
    }
  }
  return { frames: all, pairs, masked, unmasked: labelled - masked };
}

/** What a graph is fed of the counts, each multiplied by the `copies` that are computed of the batch. */
export const countFeeds = (counts: FrameCounts, copies = 1): Record<string, Float32Array> =>
  Object.fromEntries(
    // of nothing the sum is 0, whatever it is divided by
    COUNTED.map((over) => [countName(over), Float32Array.of(Math.max(1, counts[over] * copies))]),
  );
