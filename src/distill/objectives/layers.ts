// Layer to layer: each head of the student learns a layer of the teacher (arXiv:2305.11685 section 3; docs/method.md).
import * as g from "../../graph/ops.ts";
import { scalar, type Value } from "../../graph/value.ts";
import { type Objective, stacked, type TeacherStates, type Term } from "./objective.ts";

export interface LayersOptions {
  readonly kind: "mse" | "l1";
  /** Weight of every head before the last. */
  readonly hintWeight: number;
  readonly lastWeight: number;
}

export const LAYERS = "layers";

/**
 * The error of a frame is the mean over its dimensions; terms `masked` and `unmasked`, a value a head, are sums over their
 * frames divided by the number of all counted frames. `targets`: the teacher layer of each head, in the order of the heads.
 */
export function layersObjective(
  { kind, hintWeight, lastWeight }: LayersOptions,
  targets: readonly TeacherStates[],
  weight = 1,
): Objective {
  const weights = targets.map((_, k) => (k === targets.length - 1 ? lastWeight : hintWeight));
  const terms = (["masked", "unmasked"] as const).map((part): Term => ({ name: part, over: "frames", weights, part }));
  return {
    name: LAYERS,
    weight,
    targets,
    readsUnits: false,
    validatesMasked: false,
    parameters: [],
    terms,
    build({ encoded: { heads }, targets, frames }) {
      const { countedMasked, countedUnmasked, mean } = frames;
      const pairs = heads.map((head, k): readonly [masked: Value, unmasked: Value] => {
        const difference = g.sub(head, targets[k]);
        const error = g.mean(kind === "mse" ? g.mul(difference, difference) : g.abs(difference), [-1], true);
        return [
          countedMasked ? mean(error, countedMasked, "frames") : scalar(0),
          mean(error, countedUnmasked, "frames"),
        ];
      });
      const weighted = pairs.map(([masked, unmasked], k) => g.mul(g.add(masked, unmasked), weights[k]));
      return {
        loss: weighted.reduce((a, b) => g.add(a, b)),
        values: [stacked(pairs.map(([masked]) => masked)), stacked(pairs.map(([, unmasked]) => unmasked))],
      };
    },
  };
}
