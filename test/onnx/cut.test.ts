// Parts of ONNX models: they compute what the whole computes between the same tensors, and bytes that are no model are refused.
import fc from "fast-check";
import { expect, test } from "vitest";
import { StillwaveError } from "../../src/errors.ts";
import { symbol } from "../../src/graph/dim.ts";
import * as g from "../../src/graph/ops.ts";
import { constant, input } from "../../src/graph/value.ts";
import { cutOnnx } from "../../src/onnx/cut.ts";
import { encodeModel } from "../../src/onnx/proto.ts";
import { toOnnx } from "../../src/onnx/serialize.ts";
import { openOnnxFile } from "../../src/runtime/node/index.ts";

const COUNT = symbol("count");

/** x [count, 2] -> middle = x w [count, 3] -> y = tanh(middle) + the number of rows, with an unused weight. */
function model(): Uint8Array {
  const x = input("x", [COUNT, 2]);
  const w = constant({ shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) });
  const middle = g.gemm(x, w);
  const y = g.add(g.gelu(middle), g.mul(g.dimension(COUNT), 10));
  const plain = toOnnx({ name: "whole", outputs: new Map([["middle", middle], ["y", y]]) }, { opset: 21, standard: true }); // biome-ignore format: one line
  const metadata = { "stillwave.kind": "test" };
  return encodeModel({ ...plain, outputs: plain.outputs.filter(({ name }) => name === "y"), metadata });
}

const X = { shape: [2, 2], data: Float32Array.of(0.1, -0.2, 0.3, 0.4) };
const gelu = (x: number) => (x / 2) * (1 + erf(x / Math.SQRT2));
/** Abramowitz and Stegun 7.1.26, to 1.5e-7. */
function erf(x: number): number {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const sum = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
  return Math.sign(x) * (1 - sum * Math.exp(-x * x));
}

test("a model in two parts is the model", async () => {
  const bytes = model();
  const first = await openOnnxFile(cutOnnx(bytes, { from: [], to: [{ name: "middle", rank: 2 }] }, "m.onnx"));
  const second = await openOnnxFile(
    cutOnnx(bytes, { from: [{ name: "middle", rank: 2 }], to: [{ name: "y", rank: 2 }] }, "m.onnx"),
  );
  expect(first.inputs.map(({ name }) => name)).toEqual(["x"]);
  // the number of rows is read off x, of which nothing else counts
  expect(second.inputs.map(({ name }) => name).sort()).toEqual(["middle", "x"]);
  const { middle } = await first.run({ x: X });
  expect(middle.shape).toEqual([2, 3]);
  const expected = [-0.7, -0.8, -0.9, 1.9, 2.6, 3.3];
  for (const [i, value] of expected.entries()) expect(middle.data[i]).toBeCloseTo(value, 5);
  const zeros = { shape: [2, 2], data: new Float32Array(4) };
  const { y } = await second.run({ x: zeros, middle: { shape: [2, 3], data: middle.data as Float32Array } });
  for (const [i, value] of expected.entries()) expect(y.data[i]).toBeCloseTo(gelu(value) + 20, 5);
  await first.dispose();
  await second.dispose();
});

test("what is not there is named, and bytes that are no model are refused", () => {
  const bytes = model();
  const to = [{ name: "y", rank: 2 }];
  expect(() => cutOnnx(bytes, { from: [{ name: "end", rank: 2 }], to }, "m.onnx")).toThrow(
    'm.onnx: no tensor "end" in it',
  );
  expect(() => cutOnnx(bytes.subarray(0, 100), { from: [], to }, "m.onnx")).toThrow(StillwaveError);
  expect(() => cutOnnx(new Uint8Array(0), { from: [], to }, "m.onnx")).toThrow("not an ONNX file");
});

test("damaged files give a model or an error that says so", () => {
  const bytes = model();
  const damage = fc.array(fc.tuple(fc.integer({ min: 0, max: bytes.length - 1 }), fc.integer({ min: 0, max: 255 })), { maxLength: 8 }); // biome-ignore format: one line
  fc.assert(
    fc.property(damage, fc.integer({ min: 0, max: bytes.length }), (changes, length) => {
      const damaged = bytes.slice(0, length);
      for (const [at, value] of changes) if (at < length) damaged[at] = value;
      try {
        cutOnnx(damaged, { from: [{ name: "middle", rank: 2 }], to: [{ name: "y", rank: 2 }] }, "m.onnx");
      } catch (error) {
        expect(error).toBeInstanceOf(StillwaveError);
      }
    }),
    { numRuns: 500 },
  );
});
