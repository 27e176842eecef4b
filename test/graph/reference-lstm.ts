// The LSTM of the reference interpreter, frame by frame and unit by unit, as PyTorch's documentation writes it.
import type { Tensor } from "./reference.ts";

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

/** Frames in the order in which the recurrence meets them. */
const frames = (time: number, reverse: boolean): number[] => {
  const order = [...Array(time).keys()];
  return reverse ? order.reverse() : order;
};

/** Hidden states, the cells that frames start from, and activated gates (input, forget, cell, output). */
export function recurrence(gates: Tensor, weight: Tensor, valid: Tensor, reverse: boolean): Tensor[] {
  const [time, batch, width] = gates.shape as [number, number, number];
  const units = width / 4;
  const hidden = new Float64Array(time * batch * units);
  const cell = new Float64Array(time * batch * units);
  const activated = new Float64Array(time * batch * width);
  for (let b = 0; b < batch; b++) {
    let h = new Float64Array(units);
    let c = new Float64Array(units);
    for (const t of frames(time, reverse)) {
      const [nextH, nextC] = [new Float64Array(units), new Float64Array(units)];
      for (let u = 0; u < units; u++) {
        const gate = (k: number) => {
          const row = k * units + u;
          const recurrent = h.reduce((sum, value, j) => sum + weight.data[row * units + j] * value, 0);
          return gates.data[(t * batch + b) * width + row] + recurrent;
        };
        const values = [sigmoid(gate(0)), sigmoid(gate(1)), Math.tanh(gate(2)), sigmoid(gate(3))];
        nextC[u] = valid.data[t * batch + b] * (values[1] * c[u] + values[0] * values[2]);
        nextH[u] = values[3] * Math.tanh(nextC[u]);
        for (let k = 0; k < 4; k++) activated[(t * batch + b) * width + k * units + u] = values[k];
      }
      cell.set(c, (t * batch + b) * units);
      [h, c] = [nextH, nextC];
      hidden.set(h, (t * batch + b) * units);
    }
  }
  const shape = [time, batch, units];
  return [
    { shape, data: hidden },
    { shape, data: cell },
    { shape: gates.shape, data: activated },
  ];
}

/** The cotangent of the gate inputs: backpropagation through time, written out for each unit. */
export function recurrenceBackward(inputs: readonly Tensor[], reverse: boolean): Tensor {
  const [cotangent, weight, valid, previous, gates] = inputs as [Tensor, Tensor, Tensor, Tensor, Tensor];
  const [time, batch, width] = gates.shape as [number, number, number];
  const units = width / 4;
  const result = new Float64Array(time * batch * width);
  for (let b = 0; b < batch; b++) {
    let carriedH = new Float64Array(units);
    let carriedC = new Float64Array(units);
    for (const t of frames(time, !reverse)) {
      const [nextH, nextC] = [new Float64Array(units), new Float64Array(units)];
      for (let u = 0; u < units; u++) {
        const state = (t * batch + b) * units + u;
        const [i, f, g, o] = [0, 1, 2, 3].map((k) => gates.data[(t * batch + b) * width + k * units + u]) as number[];
        const squashed = Math.tanh(valid.data[t * batch + b] * (f! * previous.data[state] + i! * g!));
        const dh = cotangent.data[state] + carriedH[u];
        const dc = valid.data[t * batch + b] * (carriedC[u] + dh * o! * (1 - squashed ** 2));
        const slopes = [
          dc * g! * i! * (1 - i!),
          dc * previous.data[state] * f! * (1 - f!),
          dc * i! * (1 - g! ** 2),
          dh * squashed * o! * (1 - o!),
        ];
        nextC[u] = dc * f!;
        for (let k = 0; k < 4; k++) {
          const row = k * units + u;
          result[(t * batch + b) * width + row] = slopes[k];
          for (let j = 0; j < units; j++) nextH[j] += slopes[k] * weight.data[row * units + j];
        }
      }
      [carriedH, carriedC] = [nextH, nextC];
    }
  }
  return { shape: gates.shape, data: result };
}
