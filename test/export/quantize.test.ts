// 8-bit products where they are largest: the same whole numbers on CPUs with and without VNNI, and in WASM.
import * as native from "onnxruntime-node";
import * as web from "onnxruntime-web/wasm";
import { expect, test } from "vitest";
import { quantizeLinears, quantizeRows } from "../../src/export/quantize.ts";
import { encodeModel, type OnnxModel } from "../../src/onnx/proto.ts";

web.env.wasm.numThreads = 1;
web.env.logLevel = "error";

const [rows, columns, items] = [16, 64, 3];

/** y = x weight^T with weight [rows, columns], as a Transformer's linear layer is lowered. */
function linear(weight: Float32Array): OnnxModel {
  const name = "encoder.layers.0.feed_forward.output_dense.weight";
  const attributes = { alpha: 1, beta: 1, transA: 0n, transB: 1n };
  return {
    name: "linear",
    opset: 21,
    nodes: [{ type: "Gemm", name: "Gemm_y", inputs: ["x", name], outputs: ["y"], attributes }],
    inputs: [{ name: "x", type: "float32", shape: [items, columns] }],
    outputs: [{ name: "y", type: "float32", shape: [items, rows] }],
    initializers: [{ name, type: "float32", shape: [rows, columns], bytes: new Uint8Array(weight.buffer) }],
  };
}

test("weights become steps of 1/127 of their row's largest, stored around 128", () => {
  const { values, scales } = quantizeRows(Float32Array.of(-1.27, 0, 0.64, 0, 0, 0), 2, 3);
  expect([...values]).toEqual([1, 128, 128, 128, 192, 128]);
  expect([...scales]).toEqual([Math.fround(0.01), 1]);
});

test.each([
  ["all positive", () => 0.5],
  ["all negative", () => -0.5],
  ["rows of either sign", (i: number) => (Math.floor(i / columns) % 2 ? -0.5 : 0.5)],
])("sums of the largest products do not saturate: weights %s", async (_, at) => {
  const weight = Float32Array.from({ length: rows * columns }, (__, i) => at(i));
  const bytes = encodeModel(quantizeLinears(linear(weight)));
  const x = new Float32Array(items * columns).fill(1);
  const expected = Array.from({ length: items * rows }, (__, i) => columns * at((i % rows) * columns));
  for (const { InferenceSession, Tensor } of [native, web]) {
    const session = await InferenceSession.create(bytes);
    const { y } = await session.run({ x: new Tensor("float32", x, [items, columns]) });
    for (const [i, value] of expected.entries()) expect((y!.data as Float32Array)[i]).toBeCloseTo(value, 4);
    await session.release();
  }
});
