// A training step cut in two where the loss is computed on the host: a forward graph and a backward graph that continues it.
import { InternalError } from "../errors.ts";
import { checkGraph } from "../graph/check.ts";
import { rewrite } from "../graph/rewrite.ts";
import { showType } from "../graph/type.ts";
import { input, reachableNodes, type Value } from "../graph/value.ts";
import { pullBack } from "./gradient.ts";

/** The backward graph's input for the cotangent of the logits. */
export const COTANGENT = "cotangent";

export interface CutOptions {
  /** What the loss is a function of. */
  readonly logits: Value;
  /** What gradients are wanted of, by name. */
  readonly parameters: ReadonlyMap<string, Value>;
  /** Values that the forward graph hands over instead of having the backward graph compute them again. */
  readonly saved: ReadonlyMap<string, Value>;
}

/** Outputs of the two graphs. */
export interface CutStep {
  /** `logits`, and `saved.<name>` for every saved value that the gradient reads. */
  readonly forward: Map<string, Value>;
  /**
   * `gradient.<parameter>` for every parameter; zeros where the logits do not depend on it. Inputs: `cotangent` in the shape
   * of the logits, `saved.<name>` as the forward graph outputs them, and whatever inputs the gradient reads besides.
   */
  readonly backward: Map<string, Value>;
}

/**
 * The gradient of any loss of `logits`, given the loss's cotangent, as a graph of its own. Saved values that the gradient
 * does not read are left out of both graphs, and so are those that are graph inputs, which are fed to both anyway. Values
 * that were not saved are computed again from what was: with the outputs of every recurrence saved, none runs twice. Sizes
 * are read off the inputs that the backward graph has left (symbolSources in graph/graph.ts).
 */
export function splitBackward({ logits, parameters, saved }: CutOptions): CutStep {
  const carried = new Map<Value, Value>();
  for (const [name, value] of saved) {
    if (value.dtype !== "float32") throw new InternalError(`saved value "${name}" is ${showType(value)}, not float32`);
    if (value.node.op === "input" || carried.has(value)) continue;
    carried.set(value, input(`saved.${name}`, value.shape));
  }
  const cotangent = input(COTANGENT, logits.shape);
  const cotangents = pullBack(logits, cotangent, [...parameters.values()], new Set(carried.keys()));
  const gradients = rewrite(cotangents, carried);
  const read = new Set(reachableNodes(gradients));
  const forward = new Map([["logits", logits]]);
  for (const [name, value] of saved) {
    const node = carried.get(value)?.node;
    if (node && read.delete(node)) forward.set(`saved.${name}`, value); // once, under its first name
  }
  for (const outputs of [gradients, forward.values()]) checkGraph("cut", outputs);
  return { forward, backward: new Map([...parameters.keys()].map((name, i) => [`gradient.${name}`, gradients[i]])) };
}
