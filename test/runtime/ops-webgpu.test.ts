// The op table on WebGPU, where this machine has an adapter.
import { describe, test } from "vitest";
import { createRuntime, listDevices } from "../../src/runtime/node/index.ts";
import { runOpCases } from "./op-conformance.ts";

if ((await listDevices()).includes("webgpu"))
  runOpCases("onnxruntime-node, webgpu", () => createRuntime({ device: "webgpu" }), { value: 1e-5, gradient: 1e-4 });
else {
  console.log("ops on webgpu are not tested: this machine offers no WebGPU adapter");
  describe("ops on webgpu", () => test.skip("no WebGPU adapter on this machine", () => {}));
}
