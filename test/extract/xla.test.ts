// Extraction to files on XLA devices, several at a time: the files of ONNX Runtime, in few compilations.
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { readNpy } from "../../src/extract/npy.ts";
import { extractFiles } from "../../src/extract/run.ts";
import { type ModelConfig, noReuse } from "../../src/models/config.ts";
import { initParameters } from "../../src/models/init.ts";
import { Random } from "../../src/random.ts";
import { createRuntime, type Runtime } from "../../src/runtime/node/index.ts";
import { PjrtClient } from "../../src/runtime/xla/client.ts";
import { wav16 } from "../audio/signals.ts";
import { temporaryFolder } from "../data/corpora.ts";
import { describeWithPlugin } from "../runtime/xla/plugin.ts";

const config: ModelConfig = {
  family: "hubert",
  conv: [
    { channels: 6, kernel: 10, stride: 5 },
    { channels: 6, kernel: 8, stride: 8 },
    { channels: 6, kernel: 4, stride: 8 },
  ],
  convNorm: "group",
  convBias: false,
  featureProjection: true,
  dim: 8,
  layers: 1,
  heads: 2,
  ffnDim: 12,
  posConv: { kernel: 4, groups: 2 },
  normFirst: false,
  normalizeWaveform: false,
  layerNormEps: 1e-5,
  relativePosition: null,
  attentionFrom: noReuse(1),
  reuse: "exact",
  frameRule: "ratio",
  headDim: null,
  headLayers: [],
};
const model = { config, parameters: initParameters(config, { seed: 4 }) };

describeWithPlugin("extraction on XLA devices", () => {
  const root = temporaryFolder();
  const compile = vi.spyOn(PjrtClient.prototype, "compile");
  let [cpu, xla]: Runtime[] = [];
  beforeAll(async () => {
    vi.stubEnv("STILLWAVE_CACHE", temporaryFolder());
    vi.stubEnv("STILLWAVE_XLA_DEVICES", "2");
    cpu = await createRuntime({ threads: 1 });
    xla = await createRuntime({ device: "xla:cpu", threads: 1 });
    mkdirSync(join(root, "speech"));
    for (let i = 0; i < 20; i++) {
      const random = new Random(i, "noise");
      const wave = Float32Array.from({ length: 9000 + 160 * i }, () => random.normal() / 8);
      writeFileSync(join(root, "speech", `${String(i).padStart(2, "0")}.wav`), wav16(wave));
    }
  });
  afterAll(() => {
    vi.unstubAllEnvs();
    compile.mockRestore();
  });

  // the padding of a batch counts in GroupNorm, as in the original tools, and what is added to it does not
  test.each([
    ["together", { batchSeconds: 2, isolate: false }],
    ["one by one", { batchSeconds: 0 }],
  ])("%s", async (name, settings) => {
    const folders = [cpu, xla].map((_, i) => join(root, `${name} ${i}`));
    compile.mockClear();
    for (const [i, runtime] of [cpu, xla].entries()) {
      const ids: string[] = [];
      for await (const event of extractFiles({
        model,
        runtime,
        inputs: [join(root, "speech")],
        outDir: folders[i],
        dtype: "float32",
        ...settings,
      }))
        if (event.kind === "file") ids.push(event.record.id);
      expect(ids).toEqual(ids.toSorted());
    }
    expect(compile.mock.calls.length).toBeLessThanOrEqual(3);
    const files = readdirSync(folders[0]).filter((file) => file.endsWith(".npy"));
    expect(files).toHaveLength(20);
    for (const file of files) {
      const [exact, own] = await Promise.all(folders.map((folder) => readNpy(join(folder, file))));
      expect(own.shape).toEqual(exact.shape);
      for (const [i, value] of exact.data.entries()) expect(Math.abs(own.data[i] - value)).toBeLessThan(2e-5);
    }
  });
});
