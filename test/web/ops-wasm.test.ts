// The op table on the browser's runtime, run in Node: the same WASM kernels, one thread. The Chromium run is beside this.
import { expect, test } from "vitest";
import { symbol } from "../../src/graph/dim.ts";
import * as g from "../../src/graph/ops.ts";
import { input } from "../../src/graph/value.ts";
import { createRuntime } from "../../src/runtime/web/index.ts";
import { runOpCases } from "../runtime/op-conformance.ts";

runOpCases("onnxruntime-web in Node, wasm", () => createRuntime({ device: "wasm", threads: 1 }));

test("outputs go into the arrays that the caller gives", async () => {
  const runtime = await createRuntime();
  const x = input("x", [symbol("n"), 2]);
  const executable = await runtime.compile({
    name: "two",
    outputs: new Map([
      ["double", g.mul(x, 2)],
      ["square", g.mul(x, x)],
    ]),
  });
  const into = new Float32Array(4);
  const feeds = { x: { shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) } };
  const { double, square } = await executable.run(feeds, { double: into });
  expect([...into]).toEqual([2, 4, 6, 8]);
  expect(double!.data).toBe(into);
  expect([...square!.data]).toEqual([1, 4, 9, 16]);
  await executable.dispose();
});
