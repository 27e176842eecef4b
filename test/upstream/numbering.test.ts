// One numbering of hidden states: library, extraction, export and evaluation give what transformers gives, state by state.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { loadModel } from "../../src/checkpoint/index.ts";
import { exportOnnx } from "../../src/export/index.ts";
import { readNpy } from "../../src/extract/npy.ts";
import { extractFiles } from "../../src/extract/run.ts";
import type { HostArray } from "../../src/graph/array.ts";
import type { ModelWeights } from "../../src/models/parameters.ts";
import { createRuntime } from "../../src/runtime/node/index.ts";
import { createModel } from "../../src/upstream/model.ts";
import { loadedUpstream } from "../../src/upstream/model-upstream.ts";
import { openUpstream } from "../../src/upstream/open.ts";
import type { Upstream } from "../../src/upstream/upstream.ts";
import { wavFile } from "../audio/signals.ts";
import { present, rawModel, recordedRuns, relativeDifference, temporaryFolder } from "../export/cases.ts";
import { findTransformers, runTorch } from "../superb/torch.ts";

const folder = temporaryFolder();
const LIMIT = 3e-5;

/** A mono file of 32-bit floats at 16 kHz. */
function writeWav(path: string, wave: Float32Array): void {
  const data = new Uint8Array(wave.buffer, wave.byteOffset, wave.byteLength);
  writeFileSync(path, wavFile({ code: 3, bits: 32, data }));
}

/** States [states, frames, dim] one by one, each [1, frames, dim] with the first `frames` of them. */
function split(all: HostArray, frames: number): HostArray[] {
  const [count, time, dim] = all.shape as [number, number, number];
  return Array.from({ length: count }, (_, k) => ({
    shape: [1, frames, dim],
    data: all.data.slice(k * time * dim, (k * time + frames) * dim),
  }));
}

async function evaluated(upstream: Upstream, wave: Float32Array, frames: number): Promise<HostArray[]> {
  const [states] = await upstream.extract([wave]);
  await upstream.dispose();
  return split({ shape: [upstream.layers.length, states.frames, upstream.dim], data: states.data }, frames);
}

/** The hidden states of one waveform by each way that there is, first `frames` frames. */
async function everyWay(name: string, weights: ModelWeights, wave: Float32Array, frames: number) {
  const place = join(folder, name.replace(/\W+/g, "-"));
  mkdirSync(join(place, "speech"), { recursive: true });
  writeWav(join(place, "speech/a.wav"), wave);
  const runtime = await createRuntime({ threads: 1 });
  const model = createModel(weights, runtime);
  const { hiddenStates, layers } = await model.extract(wave);
  await model.dispose();
  const inputs = [join(place, "speech")];
  for await (const _ of extractFiles({ model: weights, runtime, inputs, outDir: join(place, "features"), workers: 0 }));
  const out = join(place, "model.onnx");
  await exportOnnx(weights, { out, speech: [wave], heads: false });
  return {
    layers,
    ways: {
      library: hiddenStates,
      extract: split(await readNpy(join(place, "features/a.npy")), frames),
      evaluation: await evaluated(await loadedUpstream(name, weights, { states: "all" }), wave, frames),
      export: await evaluated(await openUpstream(out, { states: "all" }), wave, frames),
    },
  };
}

describe.skipIf(!present)(
  "recorded by transformers: the same states by library, extract, evaluation and export",
  () => {
    const names = ["hf_hubert_large", "hf_hubert_base", "hf_wavlm_base", ...["tiny", "small", "mid"].map((size) => `../../models/hubert-${size}-libri`)]; // biome-ignore format: one line
    test.each(names)("%s", async (name) => {
      const model = await rawModel(name);
      const { config } = model;
      for (const [run, { batch, expected }] of (await recordedRuns(name, config)).entries()) {
        if (batch.samples.length > 1) continue;
        const [, frames] = expected.get("hidden_states.0")!.shape;
        const { ways, layers } = await everyWay(`${name} ${run}`, model, batch.wave, frames);
        for (const [way, states] of Object.entries(ways)) {
          expect(states, way).toHaveLength(config.layers + 1);
          for (const [k, state] of states.entries())
            expect(relativeDifference(state, expected.get(`hidden_states.${k}`)!), `${way}: state ${k}`).toBeLessThan(
              LIMIT,
            );
        }
        const last = expected.get(`hidden_states.${config.layers}`)!;
        const beforeNorm = relativeDifference(layers[config.layers - 1], last);
        if (config.normFirst) expect(beforeNorm).toBeGreaterThan(0.1);
        else expect(beforeNorm).toBeLessThan(LIMIT);
      }
    });
  },
);

test.skipIf(!present)("features of before the final norm are refused, not continued", async () => {
  const model = await rawModel("hf_hubert_large");
  const [{ batch }] = await recordedRuns("hf_hubert_large", model.config);
  const place = join(folder, "older");
  mkdirSync(join(place, "speech"), { recursive: true });
  writeWav(join(place, "speech/a.wav"), batch.wave);
  const options = { model, runtime: await createRuntime(), inputs: [join(place, "speech")], workers: 0 };
  const run = async (outDir: string, layers?: readonly number[]) => {
    for await (const event of extractFiles({ ...options, outDir, layers }))
      if (event.kind === "done") return event.skipped;
    return undefined;
  };
  /** As a manifest was before it said where the last state is from. */
  const older = (outDir: string, hash: string) => {
    const path = join(outDir, "manifest.jsonl");
    const { finalNorm, ...record } = JSON.parse(readFileSync(path, "utf8"));
    writeFileSync(path, `${JSON.stringify({ ...record, options: hash })}\n`);
    return finalNorm;
  };
  const [all, without] = [join(place, "all"), join(place, "without")];
  await run(all);
  expect(older(all, "another")).toBe(true);
  await expect(run(all)).rejects.toThrow("made otherwise: the last state before the final norm (now after it");
  await run(without, [0, 1, 2]);
  const { options: hash } = JSON.parse(readFileSync(join(without, "manifest.jsonl"), "utf8"));
  expect(older(without, hash)).toBeUndefined();
  expect(await run(without, [0, 1, 2])).toBe(1);
});

const python = findTransformers();

describe.skipIf(!python)("computed by transformers: the same states", () => {
  interface Computed {
    readonly name: string;
    readonly samples: readonly number[];
    readonly wave: readonly number[];
    readonly states: readonly { readonly shape: readonly number[]; readonly data: readonly number[] }[];
  }
  const script = readFileSync(fileURLToPath(new URL("transformers_states.py", import.meta.url)), "utf8");

  test("HuBERT, wav2vec 2.0 and WavLM, post-LN and pre-LN", async () => {
    const cases = runTorch(python!, script, { folder }) as Computed[];
    expect(cases).toHaveLength(6);
    for (const { name, samples, wave, states } of cases) {
      const loaded = await loadModel(join(folder, name));
      expect(loaded.config.normFirst).toBe(name.endsWith("pre-LN"));
      const model = createModel(loaded, await createRuntime({ threads: 1 }));
      const batch = { wave: Float32Array.from(wave), paddedSamples: 4000, samples };
      const { hiddenStates, validFrames } = await model.extract(batch, { normalize: false });
      await model.dispose();
      expect(hiddenStates).toHaveLength(states.length);
      for (const [k, { shape, data }] of states.entries()) {
        const expected = { shape, data: Float32Array.from(data) };
        expect(relativeDifference(hiddenStates[k], expected, validFrames), `${name}: state ${k}`).toBeLessThan(LIMIT);
      }
    }
  }, 120_000);
});
