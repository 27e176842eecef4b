// The op table in Chromium: values and gradients of every case, computed in the page and compared here.
import { afterAll, describe, test } from "vitest";
import { encodeModel } from "../../src/onnx/proto.ts";
import { toOnnx } from "../../src/onnx/serialize.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import { runOpCases } from "../runtime/op-conformance.ts";
import { inChromium, type OpenPage, openTestPage } from "./chromium.ts";

/** A runtime whose sessions live in the page. */
function runtimeOf({ call }: OpenPage, { device, version }: { device: Runtime["device"]; version: string }): Runtime {
  return {
    device,
    version,
    async compile(graph) {
      const { model } = await call("open", encodeModel(toOnnx(graph)));
      return {
        run: async (feeds) => (await call("run", model, feeds)) as never,
        dispose: async () => call("dispose", model),
      };
    },
  };
}

inChromium("ops on WASM in Chromium", () => {
  let page: OpenPage;
  runOpCases("onnxruntime-web in Chromium, wasm", async () => {
    page = await openTestPage();
    return runtimeOf(page, await page.call("createRuntime", { device: "wasm", wasmPaths: "/ort/", optimize: "none" }));
  });
  afterAll(() => page.close());
});

// A software adapter needs two minutes for the table; webgpu.browser.test.ts runs a model there every time.
if (process.env.STILLWAVE_WEBGPU_OPS)
  inChromium("ops on WebGPU in Chromium", () => {
    let page: OpenPage;
    runOpCases(
      "onnxruntime-web in Chromium, webgpu",
      async () => {
        page = await openTestPage({ webgpu: true });
        return runtimeOf(
          page,
          await page.call("createRuntime", { device: "webgpu", wasmPaths: "/ort/", optimize: "none" }),
        );
      },
      { value: 1e-5, gradient: 1e-4 },
    );
    afterAll(() => page.close());
  });
else {
  const reason = "two minutes on a software adapter: STILLWAVE_WEBGPU_OPS=1 runs them";
  console.log(`ops on WebGPU in Chromium are not tested: ${reason}`);
  describe("ops on WebGPU in Chromium", () => test.skip(reason, () => {}));
}
