// Values and nodes of the tensor graph. A graph is what can be reached from its outputs; node ids give the order.
import type { DType, HostArray } from "./array.ts";
import { type Shape, SymbolicDim } from "./dim.ts";
import { infer } from "./infer.ts";
import { showType, type ValueType } from "./type.ts";
import type { Attributes, Inputs, OpName, Outputs } from "./vocabulary.ts";

/** One tensor in the graph: output `index` of `node`. */
export interface Value extends ValueType {
  readonly node: GraphNode;
  readonly index: number;
}

/** A node of op K. */
export interface NodeOf<K extends OpName> {
  readonly id: number;
  readonly op: K;
  readonly inputs: Inputs<K, Value>;
  readonly attributes: Attributes<K>;
  readonly outputs: Outputs<K, Value>;
}

/** Any node: comparing `op` narrows operands, attributes and outputs. */
export type GraphNode<K extends OpName = OpName> = { [P in K]: NodeOf<P> }[K];

let nextId = 0;

/** Adds a node; its inputs exist already, so ids are a topological order. */
export function createNode<K extends OpName>(op: K, inputs: Inputs<K, Value>, attributes: Attributes<K>): NodeOf<K> {
  const types: readonly ValueType[] = infer(op, inputs, attributes);
  const outputs: Value[] = [];
  // TypeScript cannot follow that K is one of the union's ops, nor that there are as many outputs as types.
  const node = { id: nextId++, op, inputs, attributes, outputs } as unknown as NodeOf<K> & GraphNode;
  types.forEach(({ shape, dtype }, index) => {
    outputs.push({ node, index, shape, dtype });
  });
  return node;
}

/** Something of every operand of a node, in the places of the operands. */
export function mapInputs<K extends OpName, T>({ inputs }: NodeOf<K>, of: (value: Value) => T): Inputs<K, T> {
  return inputs.map(of) as Inputs<K, T>; // TypeScript's map forgets how long a tuple is
}

/** A graph input, fed on every run. */
export function input(name: string, shape: Shape, dtype: DType = "float32"): Value {
  return createNode("input", [], { name, type: { shape, dtype } }).outputs[0];
}

/** A constant, part of the graph: float32 or int64 as its data is. */
export function constant({ shape, data }: HostArray<Float32Array | BigInt64Array>): Value {
  const dtype = data instanceof Float32Array ? "float32" : "int64";
  return createNode("constant", [], { type: { shape, dtype }, data }).outputs[0];
}

/** A float32 constant of rank 0. */
export const scalar = (value: number): Value => constant({ shape: [], data: Float32Array.of(value) });

/** An int64 constant of rank 0. */
export const int64Scalar = (value: number): Value => constant({ shape: [], data: BigInt64Array.of(BigInt(value)) });

/** All nodes that `outputs` need, inputs before users. Nodes that are needed only for values that are `given` do not count. */
export function reachableNodes(outputs: readonly Value[], given?: (value: Value) => boolean): GraphNode[] {
  const seen = new Set<GraphNode>();
  const stack = [...outputs];
  for (let value = stack.pop(); value; value = stack.pop()) {
    if (seen.has(value.node) || given?.(value)) continue;
    seen.add(value.node);
    stack.push(...value.node.inputs);
  }
  return [...seen].sort((a, b) => a.id - b.id);
}

/** The graph as text, one node a line. What types say already is left out of the attributes. */
export function printGraph(outputs: readonly Value[]): string {
  const name = (value: Value) => `%${value.node.id}${value.node.outputs.length > 1 ? `.${value.index}` : ""}`;
  const shown = (key: string, v: unknown) => {
    if (key === "type") return undefined;
    if (v instanceof Float32Array || v instanceof BigInt64Array) return `${v.length} values`;
    return v instanceof SymbolicDim ? String(v) : v;
  };
  return reachableNodes(outputs)
    .map(({ op, inputs, attributes, outputs: results }) => {
      const types = results.map((value) => `${name(value)}: ${showType(value)}`).join(", ");
      return `${types} = ${op}(${inputs.map(name).join(", ")}) ${JSON.stringify(attributes, shown)}`;
    })
    .join("\n");
}
