// StableHLO modules: a program is an emitter's lines between its arguments and its results, as text that any XLA plugin compiles.
import { evaluateShape } from "../graph/dim.ts";
import { type Graph, graphInputs } from "../graph/graph.ts";
import { type GraphNode, type NodeOf, reachableNodes, type Value } from "../graph/value.ts";
import { countReads, findAttention, fits, fusedAttention } from "./attention.ts";
import { ELEMENT_TYPE, type ElementType, Emitter, showResult, type Tensor } from "./emitter.ts";
import { type Lowering, lower } from "./lower.ts";
import type { Precision } from "./precision.ts";

/** An argument or a result of a program. */
export interface Port {
  readonly name: string;
  readonly shape: readonly number[];
  readonly type: ElementType;
}

export interface Program {
  readonly text: string;
  /** In the order of the program's arguments. */
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
}

/** A program being written: arguments as they are asked for, operations, results. */
export class ProgramWriter {
  readonly emit = new Emitter();
  private readonly name: string;
  private readonly replicas: number;
  private readonly inputs: Port[] = [];
  private readonly results: { readonly name: string; readonly tensor: Tensor }[] = [];
  /** Results that take the memory of an argument, by the argument's place. */
  private readonly aliases = new Map<number, number>();

  /** @param replicas devices that run the program together */
  constructor(name: string, replicas = 1) {
    this.name = name.replace(/\W/g, "_");
    this.replicas = replicas;
  }

  /** The argument of this name, made where it is new. */
  argument(name: string, shape: readonly number[], type: ElementType): Tensor {
    const known = this.inputs.findIndex((port) => port.name === name);
    const at = known >= 0 ? known : this.inputs.push({ name, shape, type }) - 1;
    return { name: `%arg${at}`, shape, type };
  }

  result(name: string, tensor: Tensor): void {
    this.results.push({ name, tensor });
  }

  /** A result in the memory of the argument of that name, whose buffer is gone after a run. */
  replace(name: string, tensor: Tensor): void {
    this.aliases.set(
      this.inputs.findIndex((port) => port.name === name),
      this.results.length,
    );
    this.result(name, tensor);
  }

  finish(): Program {
    const results = this.results.map(({ tensor }) => tensor);
    const signature = this.inputs.map((port, i) => {
      const alias = this.aliases.get(i);
      return `%arg${i}: ${showResult(port)}${alias === undefined ? "" : ` {tf.aliasing_output = ${alias} : i32}`}`;
    });
    const types = results.map(showResult).join(", ");
    const attributes = `attributes {mhlo.num_replicas = ${this.replicas} : i32, mhlo.num_partitions = 1 : i32} `;
    const text = [
      `module @${this.name} ${attributes}{`,
      `  func.func public @main(${signature.join(", ")}) -> (${types}) {`,
      ...this.emit.lines.map((line) => `    ${line}`),
      `    "func.return"(${results.map(({ name }) => name).join(", ")}) : (${types}) -> ()`,
      "  }",
      "}",
      "",
    ].join("\n");
    const outputs = this.results.map(({ name, tensor: { shape, type } }) => ({ name, shape, type }));
    return { text, inputs: this.inputs, outputs };
  }
}

/** What a graph reads: a tensor for each of its inputs. */
export type InputTensor = (name: string, value: Value) => Tensor;

/** Writes a graph's operations; returns its outputs by name. Half activations among them are float32 again. */
export function lowerGraph(graph: Graph, lowering: Lowering, inputTensor: InputTensor): Map<string, Tensor> {
  const tensors = new Map<Value, Tensor>();
  for (const [name, value] of graphInputs(graph)) tensors.set(value, inputTensor(name, value));
  const nodes = reachableNodes([...graph.outputs.values()]);
  const fused = lowering.platform === "cuda" ? fusing(nodes, graph, tensors) : undefined;
  for (const node of nodes) {
    if (node.op === "input") continue;
    const operands = node.inputs.map((value: Value) => tensors.get(value) as Tensor);
    const attention = node.op === "matmul" ? fused?.(lowering.emit, node) : undefined;
    const results = attention ? [attention] : lower(node, operands, lowering);
    for (const [i, tensor] of results.entries()) tensors.set(node.outputs[i], tensor);
  }
  return new Map([...graph.outputs].map(([name, value]) => [name, tensors.get(value) as Tensor]));
}

/** Fused attention in the place of a product that ends one. What it spares stays in the text: compilers drop what nobody reads. */
function fusing(nodes: readonly GraphNode[], graph: Graph, tensors: ReadonlyMap<Value, Tensor>) {
  const reads = countReads(nodes, graph.outputs.values());
  return (emit: Emitter, node: NodeOf<"matmul">): Tensor | undefined => {
    const found = findAttention(node, reads);
    if (!found) return undefined;
    const of = (value: Value) => tensors.get(value) as Tensor;
    const operands = {
      query: of(found.query),
      key: of(found.key),
      values: of(found.values),
      bias: of(found.bias),
    };
    return fits(operands.query) && fits(operands.values) ? fusedAttention(emit, operands, found.alpha) : undefined;
  };
}

/** A graph alone as a program: its inputs are the arguments. @param sizes of every free dimension symbol */
export function toStableHlo(
  graph: Graph,
  sizes: ReadonlyMap<string, number>,
  precision: Precision = "float32",
): Program {
  const writer = new ProgramWriter(graph.name);
  const { emit } = writer;
  const argument: InputTensor = (name, { shape, dtype }) =>
    writer.argument(name, evaluateShape(shape, sizes), ELEMENT_TYPE[dtype]);
  for (const [name, tensor] of lowerGraph(graph, { emit, sizes, precision }, argument))
    writer.result(name, emit.convert(tensor, ELEMENT_TYPE[graph.outputs.get(name)?.dtype ?? "float32"]));
  return writer.finish();
}
