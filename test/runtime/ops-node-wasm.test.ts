// The op table on the WebAssembly engine of Node's runtime, with threads, and what differs there from the native one.
import { expect, test } from "vitest";
import { symbol } from "../../src/graph/dim.ts";
import * as g from "../../src/graph/ops.ts";
import { input } from "../../src/graph/value.ts";
import { createRuntime, listDevices } from "../../src/runtime/node/index.ts";
import { runOpCases } from "./op-conformance.ts";

process.env.STILLWAVE_ENGINE = "wasm";

runOpCases("onnxruntime-web in Node, 2 threads", () => createRuntime({ threads: 2 }));

test("the WebAssembly engine is recorded as such, and offers the CPU alone", async () => {
  const runtime = await createRuntime({ device: "auto" });
  expect(runtime.device).toBe("cpu");
  expect(runtime.version).toMatch(/^\d+\.\d+\.\d+ wasm$/);
  expect((await listDevices()).filter((device) => !device.startsWith("xla"))).toEqual(["cpu"]);
  await expect(createRuntime({ device: "cuda" })).rejects.toThrow(
    /^device "cuda" is not available: it needs the native engine; to add it: npm install onnxruntime-node@1\.\d+\.\d+ --ignore-scripts\. Available here: cpu/,
  );
});

test("more than the memory of WebAssembly is an error with the remedy, and the session survives it", async () => {
  const runtime = await createRuntime();
  const [column, row] = [input("column", [symbol("n"), 1]), input("row", [1, symbol("n")])];
  const executable = await runtime.compile({ name: "g", outputs: new Map([["y", g.sumAll(g.add(column, row))]]) });
  const feedsOf = (n: number) => ({
    column: { shape: [n, 1], data: new Float32Array(n).fill(1) },
    row: { shape: [1, n], data: new Float32Array(n).fill(1) },
  });
  await expect(executable.run(feedsOf(34_000))).rejects.toThrow(
    /^WebAssembly has 4 GB of memory .* smaller batches.* npm install onnxruntime-node@/,
  );
  expect([...(await executable.run(feedsOf(3))).y.data]).toEqual([18]);
  await executable.dispose();
});
