// Values and nodes of the tensor graph. A graph is what can be reached from its outputs; node ids give the order.
import { InternalError } from "../errors.ts";
import type { DType, HostArray } from "./array.ts";
import type { Shape } from "./dim.ts";
import { showShape } from "./dim.ts";
import type { OpAttributes, OpName } from "./vocabulary.ts";

export type { DType } from "./array.ts";

/** What an operation outputs, as far as it is known without running. */
export interface ValueType {
  readonly shape: Shape;
  readonly dtype: DType;
}

/** One tensor in the graph. */
export interface Value extends ValueType {
  readonly node: GraphNode;
  readonly index: number;
}

export interface GraphNode<K extends OpName = OpName> {
  readonly id: number;
  readonly op: K;
  readonly inputs: readonly Value[];
  readonly attributes: OpAttributes[K];
  readonly outputs: readonly Value[];
}

let nextId = 0;

/** What may be done with a float16 value: move its elements, and cast it. */
const HALF_OPS: ReadonlySet<OpName> = new Set<OpName>(["cast", "reshape", "transpose", "slice", "concat", "gather"]);

/** Adds a node; its inputs exist already, so ids are a topological order. */
export function createNode<K extends OpName>(
  op: K,
  inputs: readonly Value[],
  attributes: OpAttributes[K],
  types: readonly ValueType[],
): GraphNode<K> {
  if (!HALF_OPS.has(op) && inputs.some((value) => value.dtype === "float16"))
    throw new InternalError(`${op}: float16 values must be cast first, got ${inputs.map(showType).join(" and ")}`);
  const outputs: Value[] = [];
  const node: GraphNode<K> = { id: nextId++, op, inputs, attributes, outputs };
  types.forEach((type, index) => {
    outputs.push({ node: node as unknown as GraphNode, index, shape: type.shape, dtype: type.dtype });
  });
  return node;
}

/** A graph input, fed on every run. */
export function input(name: string, shape: Shape, dtype: DType = "float32"): Value {
  return createNode("input", [], { name }, [{ shape, dtype }]).outputs[0];
}

/** A constant, part of the graph. `data` is float32, or numbers for int64. */
export function constant(array: HostArray | { shape: readonly number[]; data: BigInt64Array }): Value {
  const dtype = array.data instanceof Float32Array ? "float32" : "int64";
  return createNode("constant", [], { data: array.data }, [{ shape: array.shape, dtype }]).outputs[0];
}

/** A float32 constant of rank 0. */
export const scalar = (value: number): Value => constant({ shape: [], data: Float32Array.of(value) });

/** An int64 constant of rank 0. */
export const int64Scalar = (value: number): Value => constant({ shape: [], data: BigInt64Array.of(BigInt(value)) });

/** All nodes that `outputs` need, inputs before users. */
export function reachableNodes(outputs: readonly Value[]): GraphNode[] {
  const seen = new Set<GraphNode>();
  const stack = outputs.map((value) => value.node);
  while (stack.length > 0) {
    const node = stack.pop()!;
    if (seen.has(node)) continue;
    seen.add(node);
    for (const value of node.inputs) stack.push(value.node);
  }
  return [...seen].sort((a, b) => a.id - b.id);
}

/** The only output of a node that has one. */
export function onlyOutput(node: GraphNode): Value {
  if (node.outputs.length !== 1) throw new InternalError(`${node.op} has ${node.outputs.length} outputs`);
  return node.outputs[0];
}

/** `float32[batch, 249, 768]`, for messages and printed graphs. */
export const showType = (type: ValueType): string => `${type.dtype}${showShape(type.shape)}`;

/** The graph as text, one node a line. */
export function printGraph(outputs: readonly Value[]): string {
  const name = (value: Value) => `%${value.node.id}${value.node.outputs.length > 1 ? `.${value.index}` : ""}`;
  return reachableNodes(outputs)
    .map((node) => {
      const attributes = JSON.stringify(node.attributes, (_, v) =>
        ArrayBuffer.isView(v)
          ? `${(v as Float32Array).length} values`
          : typeof v === "object" && v && "key" in v
            ? String(v)
            : v,
      );
      return `${node.outputs.map((v) => `${name(v)}: ${showType(v)}`).join(", ")} = ${node.op}(${node.inputs.map(name).join(", ")}) ${attributes}`;
    })
    .join("\n");
}
