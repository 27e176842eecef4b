// The checker that runs after every pass over graphs: every node is what the vocabulary says and what its operands make it.
import { InternalError } from "../errors.ts";
import { equalShapes } from "./dim.ts";
import { INFER, infer } from "./infer.ts";
import { showType, type ValueType } from "./type.ts";
import { type GraphNode, reachableNodes, type Value } from "./value.ts";

/** What is wrong with a node by itself, or nothing. */
function problemOf(node: GraphNode): string | undefined {
  const stranger = node.inputs.find((value) => value.node.outputs[value.index] !== value);
  if (stranger) return `reads ${showType(stranger)}, which is no output of ${nameOf(stranger.node)}`;
  const later = node.inputs.find((value) => !(value.node.id < node.id));
  if (later) return `reads ${nameOf(later.node)}, which does not come before it`;
  if (!Object.hasOwn(INFER, node.op)) return "is no op of the vocabulary";
  let types: readonly ValueType[];
  try {
    types = infer(node.op, node.inputs, node.attributes);
  } catch (error) {
    return `cannot be: ${String(error).replace(/^\w+: (internal: )?/, "")}`;
  }
  const stated: readonly Value[] = node.outputs;
  const agree = ({ dtype, shape }: ValueType, i: number) =>
    stated[i]?.dtype === dtype && equalShapes(stated[i].shape, shape);
  if (stated.length === types.length && types.every(agree)) return undefined;
  return `states ${stated.map(showType).join(" and ")}, but its operands make it ${types.map(showType).join(" and ")}`;
}

const nameOf = ({ op, id }: GraphNode) => `node ${id} (${op})`;

/**
 * Checks the graph behind `outputs`, which a pass has made: types are those that `INFER` finds, operands come before their
 * users and belong to their nodes, attributes are valid, and each input has a name of its own.
 * @throws InternalError that names the pass, the node and what is wrong
 */
export function checkGraph(pass: string, outputs: Iterable<Value>): void {
  const values = [...outputs];
  const fail = (node: GraphNode, text: string) => {
    throw new InternalError(`after ${pass}: ${nameOf(node)} ${text}`);
  };
  for (const value of values)
    if (value.node.outputs[value.index] !== value) fail(value.node, `has no output ${showType(value)}`);
  const inputs = new Set<string>();
  for (const node of reachableNodes(values)) {
    const problem = problemOf(node);
    if (problem) fail(node, problem);
    if (node.op !== "input") continue;
    if (inputs.has(node.attributes.name)) fail(node, `is the second input named "${node.attributes.name}"`);
    inputs.add(node.attributes.name);
  }
}
