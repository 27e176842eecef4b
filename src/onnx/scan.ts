// ONNX Scans: a body that runs once for every entry of the first axis of its inputs.
import type { Emitter } from "./emitter.ts";
import type { OnnxAttributes, OnnxGraph, OnnxNode } from "./proto.ts";

/** Collects the nodes of a Scan's body; names are unique through `prefix`. */
export class Body {
  readonly nodes: OnnxNode[] = [];
  private readonly prefix: string;

  constructor(prefix: string) {
    this.prefix = prefix;
  }

  name(part: string): string {
    return `${this.prefix}_${part}`;
  }

  /** One node with one output; returns the output's name. */
  op(type: string, inputs: readonly string[], attributes: OnnxAttributes = {}): string {
    return this.ops(type, inputs, 1, attributes)[0];
  }

  ops(type: string, inputs: readonly string[], count: number, attributes: OnnxAttributes = {}): string[] {
    const id = this.nodes.length;
    const outputs = Array.from({ length: count }, (_, i) => this.name(`${id}_${i}`));
    this.nodes.push({ type, name: this.name(`${type}${id}`), inputs, outputs, attributes });
    return outputs;
  }

  mul(...factors: string[]): string {
    return factors.reduce((a, b) => this.op("Mul", [a, b]));
  }

  split4(x: string): string[] {
    return this.ops("Split", [x], 4, { axis: 1n, num_outputs: 4n });
  }

  transposed(x: string): string {
    return this.op("Transpose", [x], { perm: [1n, 0n] });
  }

  /** Rank 2 values, sizes left open. Every output is a node's, and has a name of its own, as a body's outputs must. */
  graph(inputs: readonly string[], outputs: readonly string[]): OnnxGraph {
    const info = (name: string) => ({ name, type: "float32" as const, shape: [`${name}_rows`, `${name}_columns`] });
    return { name: this.name("body"), nodes: this.nodes, inputs: inputs.map(info), outputs: outputs.map(info) };
  }
}

export interface Scan {
  readonly body: OnnxGraph;
  /** Initial states. */
  readonly states: readonly string[];
  /** From the last entry to the first. */
  readonly backwards: boolean;
  readonly inputs: readonly string[];
}

/** Emits a Scan; `outputs` names its scan outputs. */
export function emitScan(emit: Emitter, { body, states, backwards, inputs }: Scan, outputs: readonly string[]): void {
  const direction = backwards ? 1n : 0n;
  const id = emit.unique();
  const final = states.map((_, i) => `_t${id}_${i}`); // nobody reads the final states
  emit.nodes.push({
    type: "Scan",
    name: `Scan_${id}`,
    inputs: [...states, ...inputs],
    outputs: [...final, ...outputs],
    attributes: {
      body,
      num_scan_inputs: BigInt(inputs.length),
      scan_input_directions: inputs.map(() => direction),
      scan_output_directions: outputs.map(() => direction),
    },
  });
}
