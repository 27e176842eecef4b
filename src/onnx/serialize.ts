// A graph as an ONNX model: inputs and outputs by name, every node lowered in order.
import { InternalError } from "../errors.ts";
import { type Graph, graphInputs, symbolSources } from "../graph/graph.ts";
import { reachableNodes, type Value } from "../graph/value.ts";
import { Emitter, INTERNAL_NAME, type OnnxTarget } from "./emitter.ts";
import { lower } from "./lower.ts";
import type { OnnxAttribute, OnnxModel, OnnxNode } from "./proto.ts";

/** Every supported ONNX Runtime has all the kernels that we use in this version of the standard operators. */
const OPSET = 21;

/** Nodes of a Scan's body, which may read names of the graph around it. */
const bodyNodes = (value: OnnxAttribute): readonly OnnxNode[] =>
  typeof value === "object" && "nodes" in value ? value.nodes : [];

/**
 * This order keeps least in memory. ONNX Runtime executes depth first from the nodes nobody reads, the last one in the
 * file first. Those go to the end, in reverse, so that a gradient is finished as soon as what it needs is there.
 */
function leavesLast(nodes: readonly OnnxNode[]): OnnxNode[] {
  const bodies = nodes.flatMap(({ attributes }) => Object.values(attributes ?? {}).flatMap(bodyNodes));
  const read = new Set([...nodes, ...bodies].flatMap((node) => node.inputs));
  const isLeaf = (node: OnnxNode) => !node.outputs.some((output) => read.has(output));
  return [...nodes.filter((node) => !isLeaf(node)), ...nodes.filter(isLeaf).reverse()];
}

/** ONNX messages of a graph; `encodeModel` makes bytes of them. */
export function toOnnx(graph: Graph, target: OnnxTarget = { opset: OPSET, standard: false }): OnnxModel {
  const inputs = graphInputs(graph);
  const order = reachableNodes([...graph.outputs.values()]);
  const read = new Set([...graph.outputs.values(), ...order.flatMap((node): readonly Value[] => node.inputs)]);
  const emit = new Emitter(symbolSources(inputs), target, read);
  for (const [name, value] of inputs) emit.bind(value, name);
  for (const name of [...inputs.keys(), ...graph.outputs.keys()])
    if (name === "" || INTERNAL_NAME.test(name) || (inputs.has(name) && graph.outputs.has(name)))
      throw new InternalError(`"${name}" cannot name an input or output: empty, reserved, or used for both`);
  const ownName = (value: Value) => !["input", "constant", "scaleGradient"].includes(value.node.op);
  for (const [name, value] of graph.outputs) if (ownName(value) && !emit.isBound(value)) emit.bind(value, name);
  for (const node of order) lower(node, emit);
  for (const [name, value] of graph.outputs)
    if (emit.name(value) !== name)
      emit.nodes.push({ type: "Identity", name: `output_${name}`, inputs: [emit.name(value)], outputs: [name] });
  const info = (name: string, value: Value) => ({
    name,
    type: value.dtype,
    shape: value.shape.map((dim) => (typeof dim === "number" ? dim : dim.toString())),
  });
  return {
    name: graph.name,
    opset: target.opset,
    nodes: leavesLast(emit.nodes),
    initializers: emit.initializers,
    inputs: [...inputs].map(([name, value]) => info(name, value)),
    outputs: [...graph.outputs].map(([name, value]) => info(name, value)),
  };
}
