// The LSTM's recurrence and its backward pass as ONNX Scans: one matrix product a frame, everything else elementwise.
import type { GraphNode, Value } from "../graph/value.ts";
import type { Emitter } from "./emitter.ts";
import type { OnnxAttribute, OnnxGraph, OnnxNode } from "./proto.ts";

/** Collects the nodes of a Scan's body; names are unique through `prefix`. */
class Body {
  readonly nodes: OnnxNode[] = [];
  private readonly prefix: string;

  constructor(prefix: string) {
    this.prefix = prefix;
  }

  name(part: string): string {
    return `${this.prefix}_${part}`;
  }

  /** One node with one output; returns the output's name. */
  op(type: string, inputs: readonly string[], attributes: Record<string, OnnxAttribute> = {}): string {
    return this.ops(type, inputs, 1, attributes)[0]!;
  }

  ops(
    type: string,
    inputs: readonly string[],
    count: number,
    attributes: Record<string, OnnxAttribute> = {},
  ): string[] {
    const id = this.nodes.length;
    const outputs = Array.from({ length: count }, (_, i) => this.name(`${id}_${i}`));
    this.nodes.push({ type, name: this.name(`${type}${id}`), inputs, outputs, attributes });
    return outputs;
  }

  mul(...factors: string[]): string {
    return factors.reduce((a, b) => this.op("Mul", [a, b]));
  }

  split4(x: string): [string, string, string, string] {
    return this.ops("Split", [x], 4, { axis: 1n, num_outputs: 4n }) as [string, string, string, string];
  }

  /** Rank 2 values, sizes left open. Every output gets a name of its own, as a body's outputs must. */
  graph(inputs: readonly string[], outputs: readonly string[]): OnnxGraph {
    const info = (name: string) => ({ name, type: "float32" as const, shape: [`${name}_rows`, `${name}_columns`] });
    const named = outputs.map((output) => this.op("Identity", [output]));
    const { nodes } = this;
    return { name: this.name("body"), nodes, initializers: [], inputs: inputs.map(info), outputs: named.map(info) };
  }
}

interface Scan {
  readonly body: OnnxGraph;
  readonly states: number;
  /** Frames from the last to the first. */
  readonly backwards: boolean;
  readonly inputs: readonly string[];
}

/** Emits a Scan whose states start at zero [batch, hidden]; `outputs` names its scan outputs. */
function emitScan(
  emit: Emitter,
  like: Value,
  { body, states, backwards, inputs }: Scan,
  outputs: readonly string[],
): void {
  const zero = emit.op("Expand", [emit.float(0), emit.dims(like.shape.slice(1))]);
  const direction = backwards ? 1n : 0n;
  emit.scan(Array<string>(states).fill(zero), inputs, outputs, {
    body,
    num_scan_inputs: BigInt(inputs.length),
    scan_input_directions: inputs.map(() => direction),
    scan_output_directions: outputs.map(() => direction),
  });
}

export function lowerLstm(node: GraphNode<"lstm">, emit: Emitter): void {
  const [gates, weight, valid] = emit.names(node.inputs) as [string, string, string];
  const b = new Body(`_lstm${emit.unique()}`);
  const [h, c, x, v] = ["h", "c", "x", "v"].map((part) => b.name(part)) as [string, string, string, string];
  const [zi, zf, zg, zo] = b.split4(b.op("Gemm", [h, weight, x], { transB: 1n }));
  const [i, f, o] = [zi, zf, zo].map((z) => b.op("Sigmoid", [z])) as [string, string, string];
  const g = b.op("Tanh", [zg]);
  const cell = b.mul(b.op("Add", [b.mul(f, c), b.mul(i, g)]), v);
  const hidden = b.mul(o, b.op("Tanh", [cell]));
  const activated = b.op("Concat", [i, f, g, o], { axis: 1n });
  const body = b.graph([h, c, x, v], [hidden, cell, hidden, cell, activated]);
  const scan: Scan = { body, states: 2, backwards: node.attributes.reverse, inputs: [gates, valid] };
  emitScan(emit, node.outputs[0]!, scan, emit.outputNames(node));
}

/**
 * With h = o tanh(c), c = v (f c' + i g), c' one frame before: from the last frame of the recurrence to the first, the
 * cotangents of h and c are carried along, and each frame gives that of its gate inputs.
 */
export function lowerLstmBackward(node: GraphNode<"lstmBackward">, emit: Emitter): void {
  const [cotangent, weight, valid, cell, previous, gates] = emit.names(node.inputs) as string[];
  const b = new Body(`_lstm${emit.unique()}`);
  const names = ["dh", "dc", "ct", "v", "c", "p", "a"].map((part) => b.name(part));
  const [dh, dc, ct, v, c, p, a] = names as [string, string, string, string, string, string, string];
  const one = emit.float(1);
  const [i, f, g, o] = b.split4(a);
  const rest = (x: string) => b.op("Sub", [one, x]);
  const slopeSigmoid = (y: string) => b.mul(y, rest(y));
  const slopeTanh = (y: string) => rest(b.mul(y, y));
  const dHidden = b.op("Add", [ct, dh]);
  const squashed = b.op("Tanh", [c]);
  const dCell = b.mul(b.op("Add", [dc, b.mul(dHidden, o, slopeTanh(squashed))]), v);
  const dGates = b.op(
    "Concat",
    [
      b.mul(dCell, g, slopeSigmoid(i)),
      b.mul(dCell, p, slopeSigmoid(f)),
      b.mul(dCell, i, slopeTanh(g)),
      b.mul(dHidden, squashed, slopeSigmoid(o)),
    ],
    { axis: 1n },
  );
  const body = b.graph(names, [b.op("Gemm", [dGates, weight!]), b.mul(dCell, f), dGates]);
  const inputs = [cotangent!, valid!, cell!, previous!, gates!];
  emitScan(
    emit,
    node.inputs[0]!,
    { body, states: 2, backwards: !node.attributes.reverse, inputs },
    emit.outputNames(node),
  );
}
