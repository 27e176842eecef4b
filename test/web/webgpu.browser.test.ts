// WebGPU in Chromium, on its software adapter where the machine has no other: a real model against onnxruntime-node.
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { loadAudio } from "../../src/audio/index.ts";
import { loadModel } from "../../src/checkpoint/index.ts";
import { createRuntime } from "../../src/runtime/node/index.ts";
import { createModel } from "../../src/upstream/model.ts";
import { relativeError } from "../autodiff/finite-differences.ts";
import { inChromium, openTestPage } from "./chromium.ts";

const examples = new URL("../../examples/", import.meta.url);
const teacher = fileURLToPath(new URL("hubert-small-libri", examples));

inChromium("WebGPU in Chromium", () => {
  test("hidden states of real speech", async (context) => {
    const page = await openTestPage({ webgpu: true, folders: { "/teacher/": `${teacher}/` } });
    try {
      const started = await page
        .call("createRuntime", { device: "webgpu", wasmPaths: "/ort/" })
        .catch((error) => error);
      if (started instanceof Error) {
        expect(started.message).toContain('StillwaveError: device "webgpu" is not available: ');
        const reason = `this Chromium offers no WebGPU adapter, not even software (${started.message.split("\n")[0]})`;
        console.log(`WebGPU in Chromium is not tested: ${reason}`);
        return context.skip(reason);
      }
      const file = fileURLToPath(new URL("speech/dev/121/121726/121-121726-0005.flac", examples));
      const wave = (await loadAudio(file)).slice(0, 12_000);
      const upstream = createModel(await loadModel(teacher), await createRuntime({ device: "cpu", threads: 1 }));
      const expected = await upstream.extract([wave]);
      await upstream.dispose();
      const actual = await page.call("extract", `${page.url}teacher`, [wave]);
      const differences = expected.hiddenStates.map(({ shape, data }, i) =>
        relativeError(actual.hiddenStates[i], { shape, data: Float64Array.from(data) }),
      );
      console.log(`webgpu: largest relative difference to onnxruntime-node ${Math.max(...differences)}`);
      // GPU kernels use their own exp, tanh and erf
      expect(Math.max(...differences)).toBeLessThan(1e-3);
    } finally {
      await page.close();
    }
  });
});
