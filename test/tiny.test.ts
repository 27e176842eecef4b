// Start here: the whole engine in one small example. A function is traced into a graph, the graph of its gradient is made
// from it, ONNX Runtime runs both in one go, and one step downhill lowers the loss. Models are this, only larger.
import { expect, test } from "vitest";
import { gradients } from "../src/autodiff/gradient.ts";
import { symbol } from "../src/graph/dim.ts";
import * as g from "../src/graph/ops.ts";
import { showType } from "../src/graph/type.ts";
import type { Value } from "../src/graph/value.ts";
import { input, printGraph } from "../src/graph/value.ts";
import { createRuntime } from "../src/runtime/node/index.ts";

// A model is a plain function on values. A `Value` holds no numbers: it knows its shape and the operation it comes from.
function twoLayers(x: Value, w1: Value, w2: Value): Value {
  return g.gemm(g.tanh(g.gemm(x, w1)), w2); // [batch, 2] -> [batch, 4] -> [batch, 1]
}

test("a traced function, its gradient, and one step that lowers the loss", async () => {
  // 1. Inputs have names and shapes. "batch" is a symbol: its size is known only when the graph runs.
  const batch = symbol("batch");
  const x = input("x", [batch, 2]);
  const wanted = input("wanted", [batch, 1]);
  const w1 = input("w1", [2, 4]);
  const w2 = input("w2", [4, 1]);

  // 2. Tracing: calling the function on values adds nodes to a graph; nothing is computed, but every shape is checked.
  const error = g.sub(twoLayers(x, w1, w2), wanted);
  const loss = g.mean(g.mul(error, error), [0, 1]);
  expect(showType(error)).toBe("float32[batch, 1]");
  expect(showType(loss)).toBe("float32[]");
  expect(printGraph([loss])).toContain("tanh"); // print a graph whenever you wonder what is in it
  expect(() => g.gemm(w1, x)).toThrow("gemm: inner sizes differ");

  // 3. The gradient is another graph, in the same few operations, that shares the forward pass with the loss.
  const [dw1, dw2] = gradients(loss, [w1, w2]) as [Value, Value];
  expect(dw1.shape).toEqual([2, 4]);

  // 4. A graph is a name for every output. Compiling writes it as ONNX and opens a session.
  const runtime = await createRuntime({ device: "cpu" });
  const step = await runtime.compile({ name: "tiny", outputs: new Map(Object.entries({ loss, dw1, dw2 })) });

  // 5. Numbers come in as typed arrays, read where they are. The task: is exactly one of two inputs on?
  const feeds = {
    x: { shape: [4, 2], data: Float32Array.of(0, 0, 0, 1, 1, 0, 1, 1) },
    wanted: { shape: [4, 1], data: Float32Array.of(0, 1, 1, 0) },
    w1: { shape: [2, 4], data: Float32Array.of(0.9, -0.8, 0.3, 0.5, -0.7, 0.6, 0.4, -0.2) },
    w2: { shape: [4, 1], data: Float32Array.of(0.5, 0.4, -0.3, 0.2) },
  };
  const before = await step.run(feeds);

  // 6. Do not take the gradient on trust: nudge one weight and see how far the loss moves.
  const lossWith = async (nudge: number) => {
    const data = feeds.w2.data.with(0, feeds.w2.data[0] + nudge);
    return (await step.run({ ...feeds, w2: { shape: [4, 1], data } })).loss!.data[0];
  };
  const slope = ((await lossWith(0.01)) - (await lossWith(-0.01))) / 0.02;
  expect(before.dw2!.data[0]).toBeCloseTo(slope, 4);

  // 7. One step of gradient descent, on the host: weights are ours, the engine only reads them.
  const learningRate = 0.1;
  for (const [weights, gradient] of [
    [feeds.w1, before.dw1!],
    [feeds.w2, before.dw2!],
  ] as const)
    weights.data.forEach((value, i) => {
      weights.data[i] = value - learningRate * gradient.data[i];
    });
  const after = await step.run(feeds);
  expect(after.loss!.data[0]).toBeLessThan(before.loss!.data[0]);

  // 8. Sessions hold memory of their own: give it back.
  await step.dispose();
});
