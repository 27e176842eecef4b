// Temporal Gram matrices: how alike the frames of an utterance are to each other, in student and teacher.
import * as g from "../../graph/ops.ts";
import type { Value } from "../../graph/value.ts";
import { meanState } from "./cosine.ts";
import { type Objective, stacked, type TeacherStates, type Term, weightedSum } from "./objective.ts";

export interface GramOptions {
  readonly name: string;
  readonly weight: number;
  /** Of relations within a layer's output, and between what a layer reads and its output. */
  readonly layerWeight: number;
  readonly intraWeight: number;
  /** Products are divided by the width of the model, so that models of any widths compare; else they are sums. */
  readonly overWidth: boolean;
  /** A layer of the student, and the teacher's that it learns. */
  readonly layers: readonly { readonly student: number; readonly teacher: number }[];
  /** Of the states that are compared with. */
  readonly from: Omit<TeacherStates, "layers">;
}

/**
 * The temporal Gram matrix of a layer is F F' [time, time], F its output; the intra-layer one E F', E what the layer reads. The
 * loss is the mean square of the difference to the teacher's over pairs of true frames, and over layers; there are no heads
 * (STaR, arXiv:2312.09040). Terms `layer` and `intra`, a value a layer. Differs: what layer 0 reads is taken after the positional
 * convolution; padding is left out.
 */
export function gramObjective(options: GramOptions): Objective {
  const { name, weight, layerWeight, intraWeight, overWidth, layers, from } = options;
  const isIntra = intraWeight > 0;
  const share = (each: number) => layers.map(() => each / layers.length);
  const terms: Term[] = [{ name: "layer", over: "pairs", weights: share(layerWeight) }];
  if (isIntra) terms.push({ name: "intra", over: "pairs", weights: share(intraWeight) });
  const states = (layer: number): TeacherStates => ({ ...from, layers: [layer] });
  return {
    name,
    weight,
    targets: layers.flatMap(({ teacher }) => (isIntra ? [states(teacher), states(teacher - 1)] : [states(teacher)])),
    readsUnits: false,
    validatesMasked: false,
    parameters: [],
    terms,
    build({ encoded, targets, frames: { valid, per } }) {
      const masked = (x: Value) => (valid ? g.mul(x, valid) : x);
      const own = new Map<number, Value>();
      const state = (layer: number) => {
        const known = own.get(layer) ?? masked(meanState(encoded, [layer]));
        own.set(layer, known);
        return known;
      };
      const matrix = (a: Value, b: Value) =>
        g.matmul(a, b, { transB: true, alpha: overWidth ? 1 / Number(a.shape[2]) : 1 });
      const error = (student: Value, teacher: Value) => {
        const difference = g.sub(student, teacher);
        return per(g.sumAll(g.mul(difference, difference)), "pairs");
      };
      const taught = targets.map(masked);
      const [outer, inner]: [Value[], Value[]] = [[], []];
      for (const { student } of layers) {
        const [theirs, theirInput] = taught.splice(0, isIntra ? 2 : 1);
        const ours = state(student);
        outer.push(error(matrix(ours, ours), matrix(theirs, theirs)));
        if (isIntra) inner.push(error(matrix(state(student - 1), ours), matrix(theirInput, theirs)));
      }
      const all = (isIntra ? [outer, inner] : [outer]).map(stacked);
      return { loss: weightedSum(terms, all), values: all };
    },
  };
}
