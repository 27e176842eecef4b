// Reverse mode: from a scalar loss to the graph of its gradients, by the rule table, users before inputs.
import { InternalError } from "../errors.ts";
import { checkGraph } from "../graph/check.ts";
import { equalShapes, showShape, sizeOfShape } from "../graph/dim.ts";
import * as g from "../graph/ops.ts";
import { type Replacements, rewrite } from "../graph/rewrite.ts";
import { showType } from "../graph/type.ts";
import { type GraphNode, mapInputs, reachableNodes, type Value } from "../graph/value.ts";
import type { OpName } from "../graph/vocabulary.ts";
import { inputCotangents } from "./rules.ts";

/** A product or a scatter as the continuation of `base`, its accumulator; undefined where the value is neither or has one. */
function continued({ node }: Value, base: Value): Value | undefined {
  if (node.inputs.length !== 2) return undefined;
  const [first, second] = node.inputs;
  if (node.op === "gemm") return g.gemm(first, second, { ...node.attributes, c: base });
  if (node.op === "scatterAddRows") return g.scatterAddRows(first, second, node.attributes.size, base);
  return undefined;
}

/**
 * Cotangents of one value from several users, summed. A product or a scatter that nobody else uses takes the other
 * summand as its accumulator, which saves one pass over the tensor.
 */
function accumulate(a: Value, b: Value, owned: ReadonlySet<Value>): Value {
  const product = (owned.has(a) ? continued(a, b) : undefined) ?? (owned.has(b) ? continued(b, a) : undefined);
  return product ?? g.add(a, b);
}

/** True for every node whose value depends on one of `targets`. */
function dependents(nodes: readonly GraphNode[], targets: readonly Value[]): Set<GraphNode> {
  const found = new Set(targets.map((value) => value.node));
  for (const node of nodes) if (node.inputs.some((value) => found.has(value.node))) found.add(node);
  return found;
}

/** Outputs of these are cheap to compute again, and so are not kept from the forward to the backward pass. */
const RECOMPUTED: ReadonlySet<OpName> = new Set<OpName>(["dropout", "gelu", "gather"]);

/**
 * Hands out copies of cheap nodes for the backward pass: what a rule reads is computed again there instead of being held
 * in memory since the forward pass. A value that several rules read is computed again once.
 */
function recomputer(kept: ReadonlySet<Value>): (value: Value) => Value {
  const asItIs: Replacements = {
    has: (value) => !RECOMPUTED.has(value.node.op) || kept.has(value),
    get: (value) => value,
  };
  const copies = new Map<Value, Value>();
  return (value) => rewrite([value], asItIs, copies)[0];
}

/**
 * Gradients of `loss` (float32, one element) with respect to `targets`, in order and shape of the targets.
 * A target that the loss does not depend on has a gradient of zeros.
 */
export function gradients(loss: Value, targets: readonly Value[]): Value[] {
  if (loss.dtype !== "float32" || sizeOfShape(loss.shape) !== 1)
    throw new InternalError(`gradients: expected a float32 loss of one element, got ${showType(loss)}`);
  return pullBack(loss, g.broadcast(g.dimension(1), loss.shape), targets);
}

/**
 * Cotangents of `targets` where that of `output` is `seed`, in order and shape of the targets; zeros for a target that the
 * output does not depend on. Values in `kept` are read as they are, not computed again.
 */
export function pullBack(
  output: Value,
  seed: Value,
  targets: readonly Value[],
  kept: ReadonlySet<Value> = new Set(),
): Value[] {
  if (seed.dtype !== output.dtype || !equalShapes(seed.shape, output.shape))
    throw new InternalError(`a cotangent ${showType(seed)} of ${showType(output)}`);
  const nodes = reachableNodes([output]);
  const active = dependents(nodes, targets);
  const cotangents = new Map<Value, Value>([[output, seed]]);
  const owned = new Set<Value>();
  const wanted = new Set(targets);
  const again = recomputer(kept);
  for (const node of [...nodes].reverse()) {
    if (!active.has(node)) continue;
    const cotangent = cotangents.get(node.outputs[0]);
    if (node.outputs.slice(1).some((value) => cotangents.has(value)))
      throw new InternalError(`${node.op}: only its first output has a gradient`);
    if (!cotangent || !node.inputs.some((value) => active.has(value.node))) continue;
    const given = inputCotangents({ ...node, inputs: mapInputs(node, again) }, cotangent);
    const flows = node.inputs.map((value, i) => (active.has(value.node) ? given[i] : undefined));
    const passedOn = flows.filter(Boolean).length === 1 && flows.includes(cotangent) && !wanted.has(node.outputs[0]);
    if (!passedOn) owned.delete(cotangent); // it has other users now, which need it as it is
    node.inputs.forEach((value, i) => {
      const flow = flows[i];
      if (!flow) return;
      if (!equalShapes(flow.shape, value.shape))
        throw new InternalError(
          `${node.op}: cotangent ${i} is ${showShape(flow.shape)}, not ${showShape(value.shape)}`,
        );
      if (flow.node.id > cotangent.node.id && flows.filter((other) => other === flow).length === 1) owned.add(flow);
      const before = cotangents.get(value);
      cotangents.set(value, before ? accumulate(before, flow, owned) : flow);
    });
  }
  const found = targets.map((target) => cotangents.get(target) ?? g.broadcast(g.dimension(0), target.shape));
  checkGraph("gradients", found);
  return found;
}
