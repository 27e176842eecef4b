// The LSTM's recurrence and its backward pass as ONNX Scans: one matrix product a frame, everything else elementwise.
import type { Dim } from "../graph/dim.ts";
import type { NodeOf, Value } from "../graph/value.ts";
import type { Emitter } from "./emitter.ts";
import { Body, emitScan, type Scan } from "./scan.ts";

/** States of zeros: the hidden one [hidden, batch], as products read it, and the cell [batch, hidden]. */
function zeroStates(emit: Emitter, hidden: Value): [string, string] {
  const [batch, units] = hidden.shape.slice(1);
  const zeros = (...shape: Dim[]) => emit.op("Expand", [emit.float(0), emit.dims(shape)]);
  return [zeros(units, batch), zeros(batch, units)];
}

/**
 * The product of a frame is weight x state [hidden, batch]. ONNX Runtime packs the second operand anew for every product:
 * the narrow state this way, the whole weight the other way round. The rest runs on [batch, hidden], as frames are stored.
 * The Scan outputs only what is read.
 */
export function lowerLstm(node: NodeOf<"lstm">, emit: Emitter): void {
  const [gates, weight, valid] = emit.names(node.inputs);
  const b = new Body(`_lstm${emit.unique()}`);
  const [h, c, x, v] = ["h", "c", "x", "v"].map((part) => b.name(part));
  const [zi, zf, zg, zo] = b.split4(b.op("Add", [b.transposed(b.op("Gemm", [weight, h])), x]));
  const [i, f, o] = [zi, zf, zo].map((z) => b.op("Sigmoid", [z]));
  const g = b.op("Tanh", [zg]);
  const cell = b.mul(b.op("Add", [b.mul(f, c), b.mul(i, g)]), v);
  const hidden = b.mul(o, b.op("Tanh", [cell]));
  const collected = [() => hidden, () => b.op("Identity", [c]), () => b.op("Concat", [i, f, g, o], { axis: 1n })];
  const read = node.outputs.filter((value) => emit.read.has(value));
  const body = b.graph([h, c, x, v], [b.transposed(hidden), cell, ...read.map(({ index }) => collected[index]())]);
  const states = zeroStates(emit, node.outputs[0]);
  const scan: Scan = { body, states, backwards: node.attributes.reverse, inputs: [gates, valid] };
  emitScan(emit, scan, emit.outputNames(read));
}

/**
 * With h = o tanh(c), c = v (f c' + i g), c' one frame before: from the last frame of the recurrence to the first, the
 * cotangents of h and c are carried along, and each frame gives that of its gate inputs.
 */
export function lowerLstmBackward(node: NodeOf<"lstmBackward">, emit: Emitter): void {
  const [cotangent, weight, valid, cell, gates] = emit.names(node.inputs);
  const turned = emit.op("Transpose", [weight], { perm: [1n, 0n] });
  const b = new Body(`_lstm${emit.unique()}`);
  const names = ["dh", "dc", "ct", "v", "p", "a"].map((part) => b.name(part));
  const [dh, dc, ct, v, p, a] = names;
  const [i, f, g, o] = b.split4(a);
  const [ig, fp] = [b.mul(i, g), b.mul(f, p)];
  const squashed = b.op("Tanh", [b.mul(b.op("Add", [fp, ig]), v)]);
  const h = b.mul(o, squashed);
  const minus = (x: string, y: string, z: string) => b.op("Sub", [x, b.mul(y, z)]); // x - y z
  const dHidden = b.op("Add", [ct, b.transposed(dh)]);
  const dCell = b.mul(b.op("Add", [dc, b.mul(dHidden, minus(o, h, squashed))]), v);
  const dGates = b.op(
    "Concat",
    [
      b.mul(dCell, minus(ig, ig, i)), // g i (1 - i)
      b.mul(dCell, minus(fp, fp, f)), // c' f (1 - f)
      b.mul(dCell, minus(i, ig, g)), // i (1 - g g)
      b.mul(dHidden, minus(h, h, o)), // tanh(c) o (1 - o)
    ],
    { axis: 1n },
  );
  const body = b.graph(names, [b.op("Gemm", [turned, b.transposed(dGates)]), b.mul(dCell, f), dGates]);
  const states = zeroStates(emit, node.inputs[0]);
  const inputs = [cotangent, valid, cell, gates];
  emitScan(emit, { body, states, backwards: !node.attributes.reverse, inputs }, emit.outputNames(node.outputs));
}
