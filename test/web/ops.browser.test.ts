// The op table on WASM in Chromium: values and gradients of every case, computed in the page and compared here.
import { afterAll } from "vitest";
import { encodeModel } from "../../src/onnx/proto.ts";
import { toOnnx } from "../../src/onnx/serialize.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import { runOpCases } from "../runtime/opConformance.ts";
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
