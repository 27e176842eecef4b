// Upstreams: states are the model's (recorded, and as the exported file gives them), and an utterance's own whatever its batch.
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fbank, loadAudio, SUPERB_FBANK } from "../../src/audio/index.ts";
import { loadModel } from "../../src/checkpoint/index.ts";
import { UsageError } from "../../src/errors.ts";
import { exportOnnx } from "../../src/export/index.ts";
import { receptiveField } from "../../src/models/config.ts";
import { createRuntime } from "../../src/runtime/node/index.ts";
import { withGain } from "../../src/upstream/derived/gain.ts";
import { framesOfSamples, joinStates, type UtteranceStates } from "../../src/upstream/frames.ts";
import { createModel } from "../../src/upstream/model.ts";
import { loadedUpstream } from "../../src/upstream/model-upstream.ts";
import { openUpstream } from "../../src/upstream/open.ts";
import type { Upstream } from "../../src/upstream/upstream.ts";
import {
  kinds,
  present,
  rawModel,
  recordedRuns,
  root,
  temporaryFolder,
  tinyModel,
  waveforms,
} from "../export/cases.ts";

const tinyLibri = fileURLToPath(new URL("../../examples/hubert-small-libri", import.meta.url));
const speech = (file: string) =>
  loadAudio(fileURLToPath(new URL(`../../examples/speech/dev/${file}.flac`, import.meta.url)));
const folder = temporaryFolder();

/** Largest difference, by the largest value. */
function difference(actual: UtteranceStates, expected: UtteranceStates): number {
  expect(actual.frames).toBe(expected.frames);
  expect(actual.data.length).toBe(expected.data.length);
  let [worst, largest] = [0, 0];
  for (let i = 0; i < actual.data.length; i++) {
    worst = Math.max(worst, Math.abs(actual.data[i] - expected.data[i]));
    largest = Math.max(largest, Math.abs(expected.data[i]));
  }
  return worst / largest;
}

/** Every state of a layer, [frames, dim]. */
const layerOf = ({ frames, data }: UtteranceStates, dim: number, layer: number) =>
  data.subarray(layer * frames * dim, (layer + 1) * frames * dim);

async function using<T>(upstream: Promise<Upstream>, work: (opened: Upstream) => Promise<T>): Promise<T> {
  const opened = await upstream;
  try {
    return await work(opened);
  } finally {
    await opened.dispose();
  }
}

describe("frames", () => {
  test("frames are those that the convolutions of HuBERT give", () => {
    // torch 1.13: the length of a chain of Conv1d with kernels 10 3 3 3 3 2 2 and strides 5 2 2 2 2 2 2
    const samples = [400, 719, 720, 1039, 1040, 16_000, 128_000, 168_000];
    const framing = { samplesPerFrame: 320, minSamples: 400 };
    expect(samples.map((n) => framesOfSamples(n, framing))).toEqual([1, 1, 2, 2, 3, 49, 399, 524]);
    expect(framesOfSamples(399, framing)).toBe(0);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 400_000 }), (n) => {
        const [kernels, strides] = [
          [10, 3, 3, 3, 3, 2, 2],
          [5, 2, 2, 2, 2, 2, 2],
        ];
        const convolved = kernels.reduce((length, kernel, i) => Math.floor((length - kernel) / strides[i]) + 1, n);
        expect(framesOfSamples(n, framing)).toBe(Math.max(0, convolved));
      }),
    );
  });

  test("frames beyond the benchmark's labels do not count, rounded as Python rounds", () => {
    // Python 3.12: [round(n / 320) for n in ...]; an upstream that pads its input gives one more for some
    const samples = [400, 479, 480, 481, 639, 800, 801, 1120, 16_000, 168_000];
    const padding = { samplesPerFrame: 320, minSamples: 1 };
    expect(samples.map((n) => framesOfSamples(n, padding))).toEqual([1, 1, 2, 2, 2, 2, 3, 4, 50, 525]);
  });

  const batch = (frames: number, time = frames) => {
    const array = () => ({ shape: [1, time, 2], data: Float32Array.from({ length: time * 2 }, (_, i) => i) });
    return { arrays: [array(), array()], frames: [frames] };
  };
  const want = { frames: 6, layers: ["input", "layer 1"] };

  test("frames are cut, up to four", () => {
    expect([...joinStates(batch(6, 8), 0, want).data.subarray(12)]).toEqual([...Array(12).keys()]);
    expect([...joinStates(batch(10), 0, want).data.subarray(12)]).toEqual([...Array(12).keys()]);
    expect(() => joinStates(batch(11), 0, want)).toThrow(/gave 11 frames where 6 are expected/);
  });

  test("frames are never added", () => {
    expect(() => joinStates(batch(5, 8), 0, want)).toThrow(/gave 5 frames where 6 are expected/);
  });

  test("frames must hold numbers", () => {
    const bad = batch(6);
    bad.arrays[1].data[3] = Number.NaN;
    expect(() => joinStates(bad, 0, want)).toThrow('state "layer 1" holds NaN');
  });
});

describe("filterbanks", () => {
  test("filterbanks are the benchmark's, 10 ms apart", async () => {
    const wave = await speech("4992/41806/4992-41806-0010");
    await using(openUpstream("fbank"), async (upstream) => {
      expect(upstream).toMatchObject({ kind: "fbank", dim: 240, samplesPerFrame: 160, layers: ["fbank"] });
      const [states] = await upstream.extract([wave]);
      const direct = fbank(wave, SUPERB_FBANK);
      expect(states.frames).toBe(direct.frames);
      expect(Buffer.compare(bytes(states.data), bytes(direct.data))).toBe(0);
      await expect(upstream.extract([new Float32Array(399)])).rejects.toThrow("at least 400");
    });
    await using(openUpstream("mfcc"), async (upstream) => {
      expect(upstream).toMatchObject({ kind: "mfcc", dim: 39, layers: ["mfcc"] });
      expect((await upstream.extract([wave]))[0].data.length).toBe(Math.floor((wave.length - 240) / 160) * 39);
    });
  });

  test("filterbanks take no options of models", async () => {
    await expect(openUpstream("fbank", { part: "student" })).rejects.toThrow(UsageError);
    await expect(openUpstream("mfcc", { states: "heads" })).rejects.toThrow("one layer");
  });
});

describe("a gain", () => {
  test("-3 dB scales the waves by 0.70795, as SoX does, and nothing else", async () => {
    // sox 14.4.2: a tone of maximum 0.501187 has 0.354813 after `gain -3`
    const wave = Float32Array.from({ length: 16_000 }, (_, i) => 0.5 * Math.sin((2 * Math.PI * 440 * i) / 16_000));
    const before = wave.slice();
    const seen: Float32Array[] = [];
    await using(openUpstream("fbank"), async (upstream) => {
      const attenuated = withGain(
        {
          ...upstream,
          async extract(waves) {
            seen.push(...waves);
            return [];
          },
        },
        -3,
      );
      await attenuated.extract([wave]);
      expect(attenuated).toMatchObject({ fingerprint: upstream.fingerprint, gainDb: -3 });
      expect(seen[0].every((sample, i) => Math.abs(sample - (wave[i] * 0.354813) / 0.501187) < 1e-6)).toBe(true);
      expect(wave).toEqual(before);
    });
  });
});

const bytes = (data: Float32Array) => Buffer.from(data.buffer, data.byteOffset, data.byteLength);

describe("models", () => {
  test("of a folder: every state, whatever the batch", async () => {
    const waves = await Promise.all(["4992/41806/4992-41806-0010", "1284/1181/1284-1181-0007"].map(speech));
    await using(openUpstream(tinyLibri), async (upstream) => {
      expect(upstream).toMatchObject({ kind: "model", samplesPerFrame: 320, minSamples: 400, batchSeconds: 60 });
      expect(upstream.layers).toEqual(["input", "layer 1", "layer 2", "layer 3", "layer 4", "layer 5", "layer 6"]);
      expect(upstream.parameters).toBeGreaterThan(3e6);
      const together = await upstream.extract(waves);
      for (const [i, wave] of waves.entries()) {
        const [alone] = await upstream.extract([wave]);
        expect(alone.frames).toBe(Math.floor((wave.length - 80) / 320));
        expect(difference(together[i], alone!)).toBeLessThan(1e-4);
      }
    });
  });

  test.each(Object.entries(kinds))("%s: a batch changes nothing", async (_, changes) => {
    const waves = waveforms(3, 4000, 1000, 2800, 400);
    await using(loadedUpstream("tiny", tinyModel(changes)), async (upstream) => {
      expect(upstream.samplesPerFrame).toBe(20);
      const together = await upstream.extract(waves);
      for (const [i, wave] of waves.entries())
        expect(difference(together[i], (await upstream.extract([wave]))[0])).toBeLessThan(1e-4);
    });
  });

  test("choose states", async () => {
    const model = tinyModel({ normFirst: true, convNorm: "layer" });
    const [wave] = waveforms(4, 3000);
    const runtime = await createRuntime();
    const raw = createModel(model, runtime);
    const out = await raw.extract(wave!);
    await raw.dispose();
    const frames = framesOfSamples(3000, { samplesPerFrame: 20, minSamples: receptiveField(model.config.conv) });
    const expected = {
      auto: [["head 1", "head 2", "head 3", "head 4"], out.heads],
      heads: [["head 1", "head 2", "head 3", "head 4"], out.heads],
      layers: [["layer 1", "layer 2", "layer 3", "layer 4"], out.layers],
      all: [["input", "layer 1", "layer 2", "layer 3", "layer 4"], out.hiddenStates],
    } as const;
    const fingerprints = new Set<string>();
    for (const states of ["auto", "heads", "layers", "all"] as const)
      await using(loadedUpstream("tiny", model, { states }), async (upstream) => {
        const [names, arrays] = expected[states];
        expect(upstream.layers).toEqual(names);
        fingerprints.add(upstream.fingerprint);
        const [found] = await upstream.extract([wave!]);
        for (const [layer, array] of arrays.entries()) {
          const own = layerOf(found!, upstream.dim, layer).subarray(
            0,
            Math.min(array.data.length, frames * upstream.dim),
          );
          const close = own.every((value, i) => Math.abs(value - array.data[i]) < 1e-4);
          expect(close, `${states} ${names[layer]}`).toBe(true);
        }
      });
    // auto is heads here
    expect(fingerprints.size).toBe(3);
    const plain = tinyModel({ headDim: null, headLayers: [] });
    await expect(loadedUpstream("tiny", plain, { states: "heads" })).rejects.toThrow("it has none");
    await expect(loadedUpstream("tiny", plain, { states: "some" as never })).rejects.toThrow("valid: auto");
  });

  test("fingerprints follow weights and reuse", async () => {
    const of = async (model: ReturnType<typeof tinyModel>) =>
      using(loadedUpstream("tiny", model), async ({ fingerprint }) => fingerprint);
    const first = await of(tinyModel());
    expect(await of(tinyModel())).toBe(first);
    expect(await of(tinyModel({}, 2))).not.toBe(first);
    expect(await of(tinyModel({ reuse: "official" }))).not.toBe(first);
  });

  test("official reuse takes one utterance at a time", async () => {
    await using(loadedUpstream("tiny", tinyModel({ reuse: "official" })), async (upstream) => {
      expect(upstream.batchSeconds).toBe(0);
    });
  });

  test("what cannot be used is named", async () => {
    await using(loadedUpstream("tiny", tinyModel()), async (upstream) => {
      await expect(upstream.extract([new Float32Array(10)])).rejects.toThrow("too short: 10 samples");
      const wave = new Float32Array(1000).fill(Number.NaN);
      await expect(upstream.extract([wave])).rejects.toThrow(/state "head 1" holds NaN/);
    });
    await expect(openUpstream("no/such/model/at/all")).rejects.toThrow("no such file or folder");
  });
});

describe.skipIf(!present)("recorded checkpoints", () => {
  test("pre-LN: the last state is after the final norm", async () => {
    const model = await rawModel("hf_hubert_large");
    for (const { batch, expected } of await recordedRuns("hf_hubert_large", model.config))
      await using(loadedUpstream("large", model), async (upstream) => {
        const waves = batch.samples.map((n, i) =>
          batch.wave.slice(i * batch.paddedSamples, i * batch.paddedSamples + n),
        );
        const found = await upstream.extract(waves);
        expect(upstream.layers.length).toBe(model.config.layers + 1);
        for (const k of [0, 1, model.config.layers]) {
          const { shape, data } = expected.get(`hidden_states.${k}`)!;
          const [, time, dim] = shape as [number, number, number];
          for (const [item, states] of found.entries()) {
            // the recording has the convolutions' frames, which may be one fewer
            const frames = Math.min(states.frames, Math.floor((batch.samples[item] - 400) / 320) + 1);
            const recorded = data.subarray(item * time * dim, (item * time + frames) * dim);
            const own = layerOf(states, dim, k);
            expect(
              recorded.every((value, i) => Math.abs(value - own[i]) < 1e-4),
              `state ${k}`,
            ).toBe(true);
          }
        }
      });
  });

  test("students: heads, and official reuse one at a time", async () => {
    const name = "lightning_armhubert";
    const path = `${root}${name}/checkpoint-epoch=01.ckpt`;
    const model = await rawModel(`${name}/checkpoint-epoch=01.ckpt`);
    let compared = 0;
    await using(openUpstream(path), async (upstream) => {
      expect(upstream.batchSeconds).toBe(0);
      expect(upstream.layers[0]).toBe("head 1");
      for (const { batch, expected } of await recordedRuns(name, model.config)) {
        // items of a recorded batch see each other
        if (batch.samples.length !== 1) continue;
        const [states] = await upstream.extract([batch.wave]);
        for (const [i, layer] of model.config.headLayers.entries()) {
          const { data } = expected.get(`heads.${layer}`)!;
          const own = layerOf(states!, upstream.dim, i);
          const length = Math.min(own.length, data.length);
          expect(own.subarray(0, length).every((value, at) => Math.abs(value - data[at]) < 1e-4)).toBe(true);
          compared++;
        }
      }
    });
    await using(openUpstream(path, { reuse: "exact", states: "all" }), async (upstream) => {
      expect(upstream.batchSeconds).toBe(60);
      expect(upstream.layers[0]).toBe("input");
    });
    await using(openUpstream(path, { part: "teacher", teacherHeads: 4 }), async (upstream) => {
      expect(upstream.layers[0]).toBe("input");
    });
    expect(compared).toBeGreaterThan(0);
  });

  test.each(["hf_hubert_base", "hf_wavlm_base", "hf_wav2vec2_pretraining"])("%s opens", async (name) => {
    await using(openUpstream(root + name), async (upstream) => {
      const [long, short] = await upstream.extract(waveforms(5, 9000, 4000));
      const [alone] = await upstream.extract(waveforms(5, 9000, 4000).slice(1));
      expect(long.frames).toBe(27);
      expect(difference(short!, alone!)).toBeLessThan(1e-4);
    });
  });
});

describe("exported files", () => {
  test("exported files give what their model gives", async () => {
    const model = await loadModel(tinyLibri);
    const wave = await speech("4992/41806/4992-41806-0010");
    const [plain, isolated] = ["plain.onnx", "isolated.onnx"].map((name) => join(folder, name));
    await exportOnnx(model, { out: plain! });
    await exportOnnx(model, { out: isolated!, isolate: true, externalData: true });
    const [expected] = await using(openUpstream(tinyLibri), (upstream) => upstream.extract([wave]));
    const first = await using(openUpstream(plain!), async (upstream) => {
      expect(upstream).toMatchObject({ kind: "onnx", samplesPerFrame: 320, minSamples: 400, batchSeconds: 0 });
      expect(upstream.layers.length).toBe(7);
      expect(upstream.layers[0]).toBe("input");
      expect(difference((await upstream.extract([wave]))[0], expected!)).toBeLessThan(1e-4);
      return upstream.fingerprint;
    });
    await using(openUpstream(isolated!), async (upstream) => {
      expect(upstream.batchSeconds).toBe(60);
      expect(upstream.fingerprint).not.toBe(first);
      const [found] = await upstream.extract([wave, wave.subarray(0, 20000)]);
      expect(difference(found!, expected!)).toBeLessThan(1e-4);
      // weights in a file of their own count
      writeFileSync(`${isolated}.data`, Buffer.alloc(1), { flag: "a" });
      expect(await using(openUpstream(isolated!), async (again) => again.fingerprint)).not.toBe(upstream.fingerprint);
    });
    const unnamed = join(folder, "model-without-ending");
    copyFileSync(plain!, unnamed);
    await using(openUpstream(unnamed, { states: "layers" }), async (upstream) => {
      expect(upstream.kind).toBe("onnx");
      expect(upstream.layers[0]).toBe("layer 1");
      expect(upstream.fingerprint).not.toBe(first);
    });
  }, 120_000);

  test("with heads, with one output, without metadata", async () => {
    const model = tinyModel();
    const speechLike = waveforms(6, 3000, 2000);
    const [student, last] = ["student.onnx", "last.onnx"].map((name) => join(folder, name));
    await exportOnnx(model, { out: student!, speech: speechLike });
    await exportOnnx(model, { out: last!, speech: speechLike, output: "last" });
    const [expected] = await using(loadedUpstream("tiny", model), (upstream) => upstream.extract(speechLike));
    await using(openUpstream(student!), async (upstream) => {
      expect(upstream.layers).toEqual(["head 1", "head 2", "head 3", "head 4"]);
      expect(difference((await upstream.extract([speechLike[0]]))[0], expected!)).toBeLessThan(1e-4);
    });
    await using(openUpstream(last!), async (upstream) => {
      expect(upstream.layers).toEqual(["last hidden state"]);
    });
    await expect(openUpstream(last!, { states: "all" })).rejects.toThrow(
      /no output for states "all"; it has last_hidden_state, valid_frames; valid: auto/,
    );
    await expect(openUpstream(last!, { part: "student" })).rejects.toThrow(UsageError);
    await using(openUpstream(withoutMetadata(student!)), async (upstream) => {
      expect(upstream).toMatchObject({ samplesPerFrame: 20, minSamples: 30, batchSeconds: 0 });
    });
  });

  test("that are none are refused", async () => {
    const path = join(folder, "text.onnx");
    writeFileSync(path, "no model");
    await expect(openUpstream(path)).rejects.toThrow(`${path}: ONNX Runtime cannot open it`);
    await expect(openUpstream(join(folder, "missing.onnx"))).rejects.toThrow("cannot be opened (ENOENT)");
  });
});

/** A copy whose metadata is named otherwise. */
function withoutMetadata(path: string): string {
  const copy = `${path.slice(0, -5)}-bare.onnx`;
  const text = readFileSync(path).toString("latin1").replaceAll("stillwave.", "elsewhere.");
  writeFileSync(copy, Buffer.from(text, "latin1"));
  return copy;
}
