// The one rewriter of graphs: some values are replaced, and what depends on them is built anew on the replacements.
import { InternalError } from "../errors.ts";
import { equalShapes } from "./dim.ts";
import { showType } from "./type.ts";
import { createNode, mapInputs, reachableNodes, type Value } from "./value.ts";

/** What stands in for which values; a Map is one. */
export interface Replacements {
  has(value: Value): boolean;
  get(value: Value): Value | undefined;
}

/** What stands in for `value`. One of another type would change what the value's users make of it. */
function standIn(value: Value, replacements: Replacements): Value {
  const other = replacements.get(value) ?? value;
  if (other.dtype !== value.dtype || !equalShapes(other.shape, value.shape))
    throw new InternalError(`rewrite: ${showType(other)} cannot stand in for ${value.node.op}'s ${showType(value)}`);
  return other;
}

/**
 * `outputs` with replacements. A node is built anew where it reads a replaced or rebuilt value, and stays the same object
 * elsewhere; what only replaced values need is not looked at. Calls that share `rebuilt` share what they build.
 * @throws InternalError where a replacement is of another type
 */
export function rewrite(
  outputs: readonly Value[],
  replacements: Replacements,
  rebuilt = new Map<Value, Value>(),
): Value[] {
  const known = (value: Value) => replacements.has(value) || rebuilt.has(value);
  const now = (value: Value) =>
    replacements.has(value) ? standIn(value, replacements) : (rebuilt.get(value) ?? value);
  for (const node of reachableNodes(outputs, known)) {
    if (!node.inputs.some(known)) continue;
    const copy = createNode(node.op, mapInputs(node, now), node.attributes);
    for (const [i, value] of node.outputs.entries()) rebuilt.set(value, copy.outputs[i]);
  }
  return outputs.map(now);
}
