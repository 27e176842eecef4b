// The LSTM's recurrence and its backward pass as While loops over the frames.
import type { NodeOf } from "../graph/value.ts";
import { array, type Emitter, type Tensor } from "./emitter.ts";
import { product } from "./product.ts";

/** Entry `index` of the first axis, without that axis. */
function entry(emit: Emitter, x: Tensor, index: Tensor): Tensor {
  const zeros = x.shape.slice(1).map(() => emit.scalar(0, "i64"));
  const shape = [1, ...x.shape.slice(1)];
  const sizes = `slice_sizes = ${array(shape)}`;
  return emit.reshape(emit.op("dynamic_slice", [x, index, ...zeros], { shape, type: x.type }, sizes), x.shape.slice(1));
}

/** `x` with entry `index` of the first axis replaced. */
function withEntry(emit: Emitter, x: Tensor, index: Tensor, value: Tensor): Tensor {
  const zeros = x.shape.slice(1).map(() => emit.scalar(0, "i64"));
  const update = emit.reshape(value, [1, ...x.shape.slice(1)]);
  return emit.op("dynamic_update_slice", [x, update, index, ...zeros], x);
}

const zeros = (emit: Emitter, shape: readonly number[]) => emit.broadcast(emit.scalar(0), shape);

/** The four gates side by side, [batch, 4 hidden]. */
function split4(emit: Emitter, x: Tensor): Tensor[] {
  const units = x.shape[1] / 4;
  return [0, 1, 2, 3].map((gate) => emit.slice(x, 1, gate * units, (gate + 1) * units));
}

interface Loop {
  readonly backwards: boolean;
  /** Read at every frame; what has no frames comes whole. */
  readonly inputs: readonly Tensor[];
  /** Carried from frame to frame, zero at first. */
  readonly states: readonly (readonly number[])[];
  /** [time, ...] each, filled frame by frame. */
  readonly outputs: readonly (readonly number[])[];
  readonly body: (at: {
    readonly inputs: readonly Tensor[];
    readonly frame: (x: Tensor) => Tensor;
    readonly states: readonly Tensor[];
  }) => { readonly states: readonly Tensor[]; readonly outputs: readonly Tensor[] };
}

/** Runs `body` for every frame of outputs [time, ...]. Everything it reads travels through the loop: regions see nothing else. */
function loop(emit: Emitter, { backwards, inputs, states, outputs, body }: Loop): Tensor[] {
  const time = outputs[0][0];
  const counter = emit.scalar(0, "i64");
  const carried = [counter, ...inputs, ...[...states, ...outputs].map((shape) => zeros(emit, shape))];
  const condition = emit.region(carried, ([step]) => [emit.compare(step, "LT", emit.scalar(time, "i64"))]);
  const round = emit.region(carried, ([step, ...rest]) => {
    const index = backwards ? emit.subtract(emit.scalar(time - 1, "i64"), step) : step;
    const fixed = rest.slice(0, inputs.length);
    const collected = rest.slice(inputs.length + states.length);
    const frame = (x: Tensor) => entry(emit, x, index);
    const next = body({ inputs: fixed, frame, states: rest.slice(inputs.length, inputs.length + states.length) });
    const filled = collected.map((x, i) => withEntry(emit, x, index, next.outputs[i]));
    return [emit.add(step, emit.scalar(1, "i64")), ...fixed, ...next.states, ...filled];
  });
  return emit.ops("while", carried, carried, "", [condition, round]).slice(1 + inputs.length + states.length);
}

/** Hidden states, the cells that frames start from, and activated gates. */
export function lowerLstm({ attributes }: NodeOf<"lstm">, emit: Emitter, operands: readonly Tensor[]): Tensor[] {
  const [gates] = operands;
  const [time, batch, width] = gates.shape;
  const state = [batch, width / 4];
  return loop(emit, {
    backwards: attributes.reverse,
    inputs: operands,
    states: [state, state],
    outputs: [[time, ...state], [time, ...state], gates.shape],
    body({ inputs: [x, weight, valid], frame, states: [h, c] }) {
      const recurrent = product(emit, [h, weight], { transA: false, transB: true });
      const [zi, zf, zg, zo] = split4(emit, emit.add(frame(x), recurrent));
      const [i, f, o] = [zi, zf, zo].map((z) => emit.unary("logistic", z));
      const g = emit.unary("tanh", zg);
      const cell = emit.multiply(emit.add(emit.multiply(f, c), emit.multiply(i, g)), frame(valid));
      const hidden = emit.multiply(o, emit.unary("tanh", cell));
      return { states: [hidden, cell], outputs: [hidden, c, emit.concatenate([i, f, g, o], 1)] };
    },
  });
}

/** The cotangent of the gate inputs: with h = o tanh(c), c = v (f c' + i g), from the recurrence's last frame to its first. */
export function lowerLstmBackward(
  { attributes }: NodeOf<"lstmBackward">,
  emit: Emitter,
  operands: readonly Tensor[],
): Tensor[] {
  const gates = operands[4];
  const state = [gates.shape[1], gates.shape[2] / 4];
  return loop(emit, {
    backwards: !attributes.reverse,
    inputs: operands,
    states: [state, state],
    outputs: [gates.shape],
    body({ inputs: [cotangents, weight, valid, cells, activated], frame, states: [dh, dc] }) {
      const [i, f, g, o] = split4(emit, frame(activated));
      const [v, before] = [frame(valid), frame(cells)];
      const [ig, fp] = [emit.multiply(i, g), emit.multiply(f, before)];
      const squashed = emit.unary("tanh", emit.multiply(emit.add(fp, ig), v));
      const h = emit.multiply(o, squashed);
      const minus = (x: Tensor, y: Tensor, z: Tensor) => emit.subtract(x, emit.multiply(y, z)); // x - y z
      const dHidden = emit.add(frame(cotangents), dh);
      const dCell = emit.multiply(emit.add(dc, emit.multiply(dHidden, minus(o, h, squashed))), v);
      const slopes = [
        emit.multiply(dCell, minus(ig, ig, i)), // g i (1 - i)
        emit.multiply(dCell, minus(fp, fp, f)), // c' f (1 - f)
        emit.multiply(dCell, minus(i, ig, g)), // i (1 - g g)
        emit.multiply(dHidden, minus(h, h, o)), // tanh(c) o (1 - o)
      ];
      const dGates = emit.concatenate(slopes, 1);
      const carried = product(emit, [dGates, weight], { transA: false, transB: false });
      return { states: [carried, emit.multiply(dCell, f)], outputs: [dGates] };
    },
  });
}
