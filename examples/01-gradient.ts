// A function traced into a graph, its gradient as another graph, and gradient descent on the host: XOR in a second.
import { ops as g, gradients, input, symbol } from "stillwave/engine";
import { createRuntime } from "stillwave/node";

// Values hold no numbers; they know their shape and where they come from. "batch" gets its size when the graph runs.
const batch = symbol("batch");
const [x, wanted] = [input("x", [batch, 3]), input("wanted", [batch, 1])];
const [w1, w2] = [input("w1", [3, 8]), input("w2", [8, 1])];
const error = g.sub(g.gemm(g.tanh(g.gemm(x, w1)), w2), wanted);
const loss = g.mean(g.mul(error, error), [0, 1]);
const [dw1, dw2] = gradients(loss, [w1, w2]);

const runtime = await createRuntime();
const step = await runtime.compile({
  name: "xor",
  outputs: new Map([
    ["loss", loss],
    ["dw1", dw1],
    ["dw2", dw2],
  ]),
});

// Two inputs and a constant 1; typed arrays are read where they are, so that updates in place need no copies.
const feeds = {
  x: { shape: [4, 3], data: Float32Array.of(0, 0, 1, 0, 1, 1, 1, 0, 1, 1, 1, 1) },
  wanted: { shape: [4, 1], data: Float32Array.of(0, 1, 1, 0) },
  w1: { shape: [3, 8], data: Float32Array.from({ length: 24 }, (_, i) => Math.sin(7 * i + 1)) },
  w2: { shape: [8, 1], data: Float32Array.from({ length: 8 }, (_, i) => Math.cos(5 * i)) },
};
for (let update = 0; update <= 1000; update++) {
  const outputs = await step.run(feeds);
  if (update % 250 === 0) console.log(`update ${update}: loss ${outputs.loss.data[0].toFixed(5)}`);
  for (const name of ["w1", "w2"] as const)
    outputs[`d${name}`].data.forEach((slope, i) => {
      feeds[name].data[i] -= 0.2 * slope;
    });
}
await step.dispose();
