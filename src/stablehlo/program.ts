// A graph with sizes filled in as a StableHLO module, text that any XLA plugin compiles.

import { evaluateShape } from "../graph/dim.ts";
import { type Graph, graphInputs } from "../graph/graph.ts";
import { reachableNodes, type Value } from "../graph/value.ts";
import { ELEMENT_TYPE, type ElementType, Emitter, showResult, type Tensor } from "./emitter.ts";
import { lower } from "./lower.ts";

/** An argument or a result of the program. */
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

/** @param sizes of every free dimension symbol */
export function toStableHlo(graph: Graph, sizes: ReadonlyMap<string, number>): Program {
  const emit = new Emitter();
  const tensors = new Map<Value, Tensor>();
  const inputs = [...graphInputs(graph)].map(([name, value], i): Port => {
    const port = { shape: evaluateShape(value.shape, sizes), type: ELEMENT_TYPE[value.dtype] };
    tensors.set(value, { ...port, name: `%arg${i}` });
    return { ...port, name };
  });
  for (const node of reachableNodes([...graph.outputs.values()])) {
    if (node.op === "input") continue;
    const operands = node.inputs.map((value: Value) => tensors.get(value) as Tensor);
    for (const [i, tensor] of lower(node, emit, operands, sizes).entries()) tensors.set(node.outputs[i], tensor);
  }
  const results = [...graph.outputs].map(([name, value]) => ({ output: name, ...(tensors.get(value) as Tensor) }));
  const signature = inputs.map((port, i) => `%arg${i}: ${showResult(port)}`).join(", ");
  const types = results.map(showResult).join(", ");
  const text = [
    `module @${graph.name.replace(/\W/g, "_")} {`,
    `  func.func public @main(${signature}) -> (${types}) {`,
    ...emit.lines.map((line) => `    ${line}`),
    `    "func.return"(${results.map(({ name }) => name).join(", ")}) : (${types}) -> ()`,
    "  }",
    "}",
    "",
  ].join("\n");
  return { text, inputs, outputs: results.map(({ output, shape, type }) => ({ name: output, shape, type })) };
}
