// The one rewriter of graphs: some values are replaced, and what depends on them is built anew on the replacements.
import type { Value } from "./value.ts";
import { createNode, mapInputs, reachableNodes } from "./value.ts";

/** What stands in for which values; a Map is one. */
export interface Replacements {
  has(value: Value): boolean;
  get(value: Value): Value | undefined;
}

/**
 * `outputs` with replacements. A node is built anew where it reads a replaced or rebuilt value, and stays the same object
 * elsewhere; what only replaced values need is not looked at. Calls that share `rebuilt` share what they build.
 */
export function rewrite(
  outputs: readonly Value[],
  replacements: Replacements,
  rebuilt = new Map<Value, Value>(),
): Value[] {
  const known = (value: Value) => replacements.has(value) || rebuilt.has(value);
  const now = (value: Value) => (replacements.has(value) ? replacements.get(value) : rebuilt.get(value)) ?? value;
  for (const node of reachableNodes(outputs, known)) {
    if (!node.inputs.some(known)) continue;
    const copy = createNode(node.op, mapInputs(node, now), node.attributes);
    for (const [i, value] of node.outputs.entries()) rebuilt.set(value, copy.outputs[i]);
  }
  return outputs.map(now);
}
