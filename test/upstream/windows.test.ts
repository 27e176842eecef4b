// Windows of long recordings: what is kept of each, and that their numbers are those of the whole.
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { UsageError } from "../../src/errors.ts";
import { type ModelConfig, noReuse, reuseEvery } from "../../src/models/config.ts";
import { initParameters } from "../../src/models/init.ts";
import { publishedArchitecture, REFERENCE_ID } from "../../src/models/published.ts";
import { RecordingPass } from "../../src/models/recording.ts";
import { Random } from "../../src/random.ts";
import { createRuntime, type Runtime } from "../../src/runtime/node/index.ts";
import { createModel } from "../../src/upstream/model.ts";
import { allStates, stateOf } from "../../src/upstream/states.ts";
import { ModelWindows } from "../../src/upstream/windows/layers.ts";
import { isLong, keptRows, planWindows, usualWindowSeconds, windowSettings } from "../../src/upstream/windows/plan.ts";

describe("plan", () => {
  test("every frame is kept once, in windows of one length that share the overlap", () => {
    const sizes = fc.record({
      frames: fc.integer({ min: 1, max: 100_000 }),
      windowSeconds: fc.integer({ min: 12, max: 300 }),
      overlapSeconds: fc.double({ min: 2.6, max: 3, noNaN: true }),
      multiple: fc.integer({ min: 1, max: 12 }),
    });
    fc.assert(
      fc.property(sizes, ({ frames, multiple, ...settings }) => {
        const spans = planWindows(frames, settings, 320, multiple);
        expect(spans[0]).toMatchObject({ start: 0, keepFrom: 0 });
        expect(spans.at(-1)).toMatchObject({ end: frames, keepTo: frames });
        for (const [i, { start, end, keepFrom, keepTo }] of spans.entries()) {
          expect(keepTo).toBeGreaterThan(keepFrom);
          expect(start % multiple).toBe(0);
          expect(keepFrom % multiple).toBe(0);
          if (i === 0) continue;
          expect(keepFrom).toBe(spans[i - 1].keepTo);
          // 1.28 s, what the positional convolution reads, less what rounding to the multiple takes
          expect(keepFrom - start).toBeGreaterThanOrEqual(64 - multiple);
          expect(spans[i - 1].end - keepFrom).toBeGreaterThanOrEqual(64 - multiple);
          expect(end - start).toBeGreaterThanOrEqual(spans[0].end);
          expect(end - start).toBeLessThan(spans[0].end + multiple);
        }
      }),
    );
  });

  test("defaults, and what leaves nothing to keep", () => {
    expect(windowSettings({}, 240)).toEqual({ windowSeconds: 240, overlapSeconds: 4 });
    expect(windowSettings({ window: "off", overlap: 0 }, 240)).toBeUndefined();
    const settings = windowSettings({ window: 30, overlap: 5 }, 240);
    expect(settings).toEqual({ windowSeconds: 30, overlapSeconds: 5 });
    expect([60, 61].map((seconds) => isLong(seconds * 16000, settings))).toEqual([false, true]);
    expect(isLong(1e9, undefined)).toBe(false);
    for (const wrong of [{ window: 15 }, { window: 9 }, { overlap: 1 }, { window: Number.NaN }, { window: 1e6 }])
      expect(() => windowSettings(wrong, 240)).toThrow(UsageError);
  });

  test("a window holds twelve minutes, or as many as 256 MiB of hidden states are", () => {
    const conv = publishedArchitecture(REFERENCE_ID)?.conv ?? [];
    expect(usualWindowSeconds({ layers: 6, dim: 192, conv })).toBe(720);
    // 13 states of 768 floats, 50 a second: 1,996,800 bytes
    expect(usualWindowSeconds({ layers: 12, dim: 768, conv })).toBe(134);
    expect(usualWindowSeconds({ layers: 48, dim: 1280, conv })).toBe(30);
  });
});

const base: ModelConfig = {
  family: "student",
  conv: [
    { channels: 8, kernel: 10, stride: 5 },
    { channels: 12, kernel: 8, stride: 8 },
    { channels: 12, kernel: 4, stride: 8 },
  ],
  convNorm: "group",
  convBias: false,
  featureProjection: true,
  dim: 12,
  layers: 4,
  heads: 3,
  ffnDim: 16,
  posConv: { kernel: 8, groups: 2 },
  normFirst: false,
  normalizeWaveform: false,
  layerNormEps: 1e-5,
  relativePosition: null,
  attentionFrom: noReuse(4),
  reuse: "exact",
  frameRule: "conv",
  headDim: null,
  headLayers: [],
};
const VARIANTS: readonly [string, Partial<ModelConfig>][] = [
  ["HuBERT base", {}],
  [
    "large: layer norms, normalised waves",
    { convNorm: "layer", convBias: true, normFirst: true, normalizeWaveform: true },
  ],
  ["normalised waves under GroupNorm", { normalizeWaveform: true }],
  ["WavLM", { family: "wavlm", relativePosition: { buckets: 32, maxDistance: 80 } }],
  ["reused maps", { attentionFrom: reuseEvery(2, 4), headDim: 5, headLayers: [0, 1, 2, 3] }],
  ["reused maps as released", { attentionFrom: reuseEvery(4, 4), reuse: "official" }],
  ["an odd positional convolution", { posConv: { kernel: 5, groups: 3 } }],
];

/** Speech-like only in that its loudness changes. */
function recording(samples: number): Float32Array {
  const random = new Random(3, "recording");
  return Float32Array.from({ length: samples }, (_, i) => 0.005 + (0.1 + 0.1 * Math.sin(i / 9000)) * random.normal());
}
const piecesOf = (wave: Float32Array, size = 7001) =>
  async function* () {
    for (let at = 0; at < wave.length; at += size) yield wave.slice(at, at + size);
  };
/** Largest difference over the largest value. */
function worst(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length);
  let [difference, largest] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    if (!(Math.abs(a[i] - b[i]) <= difference)) difference = Math.abs(a[i] - b[i]);
    largest = Math.max(largest, Math.abs(b[i]));
  }
  return difference / largest;
}

describe("numbers", () => {
  let runtime: Runtime;
  beforeAll(async () => {
    runtime = await createRuntime({ threads: 1, arena: false });
  });
  const wave = recording(16000 * 21 + 137);

  async function inWindows(config: ModelConfig, windowSeconds: number, states = allStates(config, "hidden-states")) {
    const model = new ModelWindows({ config, parameters: initParameters(config, { seed: 7 }) }, runtime);
    const rows: number[][] = states.map(() => []);
    let windows = 0;
    const settings = { windowSeconds, overlapSeconds: 2.6 };
    for await (const window of model.states({ samples: wave.length, pieces: piecesOf(wave) }, states, settings)) {
      windows++;
      for (const [i, list] of rows.entries()) list.push(...keptRows(window, i));
    }
    await model.dispose();
    return { rows: rows.map((list) => Float32Array.from(list)), windows };
  }

  test.each(VARIANTS)("%s: one window is the whole, to rounding", async (_, changes) => {
    const config = { ...base, ...changes };
    const model = createModel({ config, parameters: initParameters(config, { seed: 7 }) }, runtime);
    const whole = await model.extract(wave);
    for (const kind of ["hidden-states", "heads"] as const) {
      const states = allStates(config, kind);
      if (states.length === 0) continue;
      const { rows, windows } = await inWindows(config, 60, states);
      expect(windows).toBe(1);
      for (const [i, state] of states.entries())
        expect(worst(rows[i], stateOf(config, whole, state).data), `${kind} ${state.number}`).toBeLessThan(2e-4);
    }
    await model.dispose();
  });

  test("several windows: what layer 0 reads is the whole's, later states near it", async () => {
    const model = createModel({ config: base, parameters: initParameters(base, { seed: 7 }) }, runtime);
    const whole = await model.extract(wave);
    const { rows, windows } = await inWindows(base, 11);
    expect(windows).toBe(3);
    expect(worst(rows[0], whole.hiddenStates[0].data)).toBeLessThan(2e-4);
    expect(worst(rows[4], whole.hiddenStates[4].data)).toBeLessThan(5e-3);
    await model.dispose();
  });

  test("the statistics of a recording are those of its windows of samples", () => {
    for (const config of [base, { ...base, normalizeWaveform: true }]) {
      const pass = new RecordingPass(config);
      for (let at = 0, size = 1; at < wave.length; at += size, size = (size * 7) % 4093)
        pass.add(wave.subarray(at, at + size));
      const { mean, scale, centre, covariance } = pass.finish();
      const average = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
      const fed = [...wave].map((x) => (x - mean) * scale);
      if (config.normalizeWaveform) {
        expect(average(fed)).toBeCloseTo(0, 6);
        expect(average(fed.map((x) => x * x))).toBeCloseTo(1, 2);
      } else expect([mean, scale]).toEqual([0, 1]);
      const starts = Array.from({ length: Math.floor((wave.length - 10) / 5) + 1 }, (_, j) => 5 * j);
      const [m2, m7] = [2, 7].map((i) => average(starts.map((at) => fed[at + i])));
      expect(centre![2]).toBeCloseTo(m2, 5);
      expect(covariance![2 * 10 + 7]).toBeCloseTo(
        average(starts.map((at) => (fed[at + 2] - m2) * (fed[at + 7] - m7))),
        6,
      );
      expect(covariance![7 * 10 + 2]).toBe(covariance![2 * 10 + 7]);
    }
  });

  test("a recording that is shorter than it was said to be, and one of enormous samples", async () => {
    const parameters = initParameters(base, { seed: 7 });
    const model = new ModelWindows({ config: base, parameters }, runtime);
    const states = allStates(base, "hidden-states");
    const settings = { windowSeconds: 20, overlapSeconds: 4 };
    const all = async (samples: number, source: Float32Array) => {
      for await (const _ of model.states({ samples, pieces: piecesOf(source) }, states, settings));
    };
    await expect(all(wave.length + 1, wave)).rejects.toThrow(/header said 336138 samples.*decoding gave others/);
    await expect(
      all(
        wave.length,
        wave.map((x) => x * 1e38),
      ),
    ).rejects.toThrow(/samples are too large/);
    await model.dispose();
  });
});
