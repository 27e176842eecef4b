// The op table on the WebAssembly engine of Node's runtime, with threads, and what differs there from the native one.
import { expect, test } from "vitest";
import { createRuntime, listDevices } from "../../src/runtime/node/index.ts";
import { runOpCases } from "./op-conformance.ts";

process.env.STILLWAVE_ENGINE = "wasm";

runOpCases("onnxruntime-web in Node, 2 threads", () => createRuntime({ threads: 2 }));

test("the WebAssembly engine is recorded as such, and offers the CPU alone", async () => {
  const runtime = await createRuntime({ device: "auto" });
  expect(runtime.device).toBe("cpu");
  expect(runtime.version).toMatch(/^\d+\.\d+\.\d+ wasm$/);
  expect(await listDevices()).toEqual(["cpu"]);
  await expect(createRuntime({ device: "cuda" })).rejects.toThrow(
    /^device "cuda" is not available: it needs the native engine; to add it: npm install onnxruntime-node@1\.\d+\.\d+ --ignore-scripts\. Available here: cpu\./,
  );
});
