// Logits of speech that is still going on: every frame once, the same however the samples come, and those of the whole where all is seen.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { UsageError } from "../../src/errors.ts";
import { frameCount, type ModelConfig, noReuse, receptiveField, samplesPerFrame } from "../../src/models/config.ts";
import { initParameters } from "../../src/models/init.ts";
import { RecordingPass } from "../../src/models/recording.ts";
import { Random } from "../../src/random.ts";
import { createRuntime } from "../../src/runtime/node/index.ts";
import { chunkFacts, chunkFrames } from "../../src/streaming/chunks.ts";
import { LogitStream, type StreamStatistics } from "../../src/streaming/logit-stream.ts";
import type { LogitBlock, StreamStages } from "../../src/streaming/stream.types.ts";
import { createModel } from "../../src/upstream/model.ts";
import { ModelStages } from "../../src/upstream/windows/stages.ts";

const CONV = [
  { channels: 8, kernel: 10, stride: 5 },
  { channels: 12, kernel: 8, stride: 8 },
  { channels: 12, kernel: 4, stride: 8 },
];
const [SHIFT, FIELD] = [samplesPerFrame(CONV), receptiveField(CONV)];
const RUNNING: StreamStatistics = { memorySeconds: Number.POSITIVE_INFINITY };

const base: ModelConfig = {
  family: "student",
  conv: CONV,
  convNorm: "group",
  convBias: false,
  featureProjection: true,
  dim: 12,
  layers: 2,
  heads: 3,
  ffnDim: 16,
  posConv: { kernel: 8, groups: 2 },
  normFirst: false,
  normalizeWaveform: false,
  layerNormEps: 1e-5,
  relativePosition: null,
  attentionFrom: noReuse(2),
  reuse: "exact",
  frameRule: "conv",
  headDim: null,
  headLayers: [],
};

/** Speech-like only in that its loudness changes. */
function recording(samples: number, seed = 3): Float32Array {
  const random = new Random(seed, "recording");
  return Float32Array.from({ length: samples }, (_, i) => 0.005 + (0.1 + 0.1 * Math.sin(i / 900)) * random.normal());
}

/** Which frames were asked for, with features that are the first samples of their frames: `logits` are these frames' numbers. */
function countingStages(stack = 1) {
  const windows: number[][] = [];
  const config = {
    conv: CONV,
    convNorm: "layer",
    normalizeWaveform: false,
    posConv: { kernel: 8, groups: 1 },
    dim: 1,
  } as const;
  const stages: StreamStages = {
    config,
    stack,
    async features(wave) {
      const frames = frameCount(CONV, wave.length);
      return { shape: [1, frames, 1], data: Float32Array.from({ length: frames }, (_, i) => wave[i * SHIFT]) };
    },
    positions: async (features) => features,
    async logits({ data }) {
      windows.push([data[0] / SHIFT, data[data.length - 1] / SHIFT + 1]);
      const frames = Math.floor(data.length / stack);
      return { frames, data: Float32Array.from({ length: frames }, (_, i) => data[i * stack]) };
    },
  };
  return { stages, windows };
}

const numbered = (samples: number) => Float32Array.from({ length: samples }, (_, i) => i);

async function blocksOf(stream: LogitStream, wave: Float32Array, cuts: readonly number[]): Promise<LogitBlock[]> {
  const blocks: LogitBlock[] = [];
  let at = 0;
  for (const cut of [...cuts, wave.length]) {
    for await (const block of stream.push(wave.subarray(at, Math.max(at, cut)))) blocks.push(block);
    at = Math.max(at, cut);
  }
  for await (const block of stream.end()) blocks.push(block);
  return blocks;
}

const joined = (blocks: readonly LogitBlock[]) => Float32Array.from(blocks.flatMap(({ data }) => [...data]));

describe("chunks", () => {
  test("every frame of the whole comes once and in order, for any lengths, settings and cuts", async () => {
    const cases = fc.record({
      samples: fc.integer({ min: 0, max: 60 * SHIFT }),
      chunk: fc.integer({ min: 1, max: 20 }),
      left: fc.integer({ min: 0, max: 30 }),
      right: fc.integer({ min: 0, max: 30 }),
      stack: fc.integer({ min: 1, max: 3 }),
      cuts: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 }),
    });
    await fc.assert(
      fc.asyncProperty(cases, async ({ samples, stack, cuts, ...own }) => {
        const { stages, windows } = countingStages(stack);
        const [chunk, left, right] = [own.chunk * stack, own.left * stack, own.right * stack];
        const sorted = cuts.map((share) => Math.floor(share * samples)).sort((a, b) => a - b);
        const stream = new LogitStream(stages, { chunk, left, right }, RUNNING);
        const blocks = await blocksOf(stream, numbered(samples), sorted);
        const frames = frameCount(CONV, samples);
        const logits = joined(blocks);
        expect(logits).toEqual(Float32Array.from({ length: Math.floor(frames / stack) }, (_, i) => i * stack * SHIFT));
        for (const [i, { from }] of blocks.entries())
          expect(from).toBe(i === 0 ? 0 : blocks[i - 1].from + blocks[i - 1].frames);
        // the window that every chunk sees
        for (const [i, [start, end]] of windows.entries()) {
          const isLast = i === windows.length - 1 && blocks[i].samples === samples;
          expect(start).toBe(Math.max(0, i * chunk - left));
          if (!isLast) expect(end).toBe((i + 1) * chunk + right);
          else expect(end).toBe(frames);
        }
      }),
      { numRuns: 150 },
    );
  });

  test("what is held does not grow with the recording", async () => {
    const { stages } = countingStages();
    const stream = new LogitStream(stages, { chunk: 32, left: 128, right: 16 }, RUNNING);
    const held: number[] = [];
    for (let i = 0; i < 3000; i++) {
      for await (const _ of stream.push(new Float32Array(1600)));
      if (i % 100 === 99) held.push(floatsIn(stream));
    }
    expect(held.at(-1)).toBeLessThan(60_000);
    expect(Math.max(...held.slice(15))).toBeLessThanOrEqual(Math.max(...held.slice(0, 15)) + 32);
  });

  test("seconds become frames, and what makes no sense is refused", () => {
    const conv = [{ channels: 8, kernel: 400, stride: 320 }];
    const of = { config: { conv }, stack: 1 };
    expect(chunkFrames({}, of)).toEqual({ chunk: 32, left: 128, right: 16 });
    expect(chunkFrames({ chunk: 0.65, left: 2.569, right: 0.011 }, of)).toEqual({ chunk: 33, left: 128, right: 1 });
    expect(chunkFrames({ chunk: 0.01, left: 0, right: 0 }, of)).toEqual({ chunk: 1, left: 0, right: 0 });
    expect(chunkFrames({ chunk: 0.65, left: 1, right: 0.3 }, { ...of, stack: 2 })).toEqual({
      chunk: 32,
      left: 50,
      right: 16,
    });
    const facts = chunkFacts({ chunk: 32, left: 128, right: 16 }, { conv });
    expect(facts).toMatchObject({ chunk: 0.64, left: 2.56, right: 0.32, timesComputed: 5.5 });
    expect(facts.latencySeconds).toBeCloseTo(0.965, 10);
    const wrong = [
      { chunk: 0 }, { chunk: -1 }, { chunk: Number.NaN }, { chunk: 0.001 }, { left: -0.1 }, { right: Number.NaN },
      { right: -1 }, { left: 59.5 }, { chunk: Number.POSITIVE_INFINITY }, { left: "2" as unknown as number, right: 1e9 },
    ]; // biome-ignore format: a table
    for (const settings of wrong) expect(() => chunkFrames(settings, of)).toThrow(UsageError);
  });
});

/** Numbers in all typed arrays that an object reaches. */
function floatsIn(value: unknown, seen = new Set<unknown>()): number {
  if (typeof value !== "object" || value === null || seen.has(value)) return 0;
  seen.add(value);
  if (ArrayBuffer.isView(value)) return value.buffer.byteLength / 4;
  return Object.values(value).reduce((sum: number, one) => sum + floatsIn(one, seen), 0);
}

const runtime = await createRuntime({ threads: 1 });

/** A model whose logits are its last layer. */
function opened(change: Partial<ModelConfig>) {
  const config = { ...base, ...change };
  const weights = { config, parameters: initParameters(config, { seed: 5 }) };
  const front = new ModelStages(weights, runtime);
  const last = [{ kind: "hidden-states", number: config.layers }] as const;
  const stages: StreamStages = {
    config,
    stack: 1,
    features: (wave, statistics) => front.features(wave, statistics),
    positions: (features) => front.positions(features),
    async logits(frames) {
      const [{ shape, data }] = await front.layers(frames, last);
      return { frames: shape[1], data };
    },
  };
  const whole = async (wave: Float32Array) => {
    const model = createModel(weights, runtime);
    const { hiddenStates } = await model.extract(wave, { isolate: true });
    await model.dispose();
    return hiddenStates[config.layers].data;
  };
  return { config, stages, whole };
}

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

describe("against the whole", () => {
  const variants: readonly [string, Partial<ModelConfig>][] = [
    ["GroupNorm", {}],
    ["layer norms, normalised waves", { convNorm: "layer", convBias: true, normFirst: true, normalizeWaveform: true }],
    ["normalised waves under GroupNorm", { normalizeWaveform: true }],
    ["WavLM", { family: "wavlm", relativePosition: { buckets: 32, maxDistance: 80 } }],
  ];
  const wave = recording(120 * SHIFT + FIELD + 17);

  test.each(variants)("%s: with a look-ahead to the end it is the whole, to rounding", async (_, change) => {
    const { stages, whole } = opened(change);
    const stream = new LogitStream(stages, { chunk: 7, left: 200, right: 200 }, RUNNING);
    const blocks = await blocksOf(stream, wave, [1000, 20_000]);
    expect(worst(joined(blocks), await whole(wave))).toBeLessThan(2e-5);
  });

  test.each(variants)(
    "%s: a chunk as long as the recording is the whole, by statistics that were known",
    async (_, change) => {
      const { config, stages, whole } = opened(change);
      const pass = new RecordingPass(config);
      pass.add(wave);
      const frames = frameCount(CONV, wave.length);
      const stream = new LogitStream(stages, { chunk: frames, left: 0, right: 0 }, pass.finish());
      const blocks = await blocksOf(stream, wave, [1000, 20_000]);
      expect(blocks.length).toBe(1);
      expect(worst(joined(blocks), await whole(wave))).toBeLessThan(2e-5);
    },
  );

  test("the cuts of the samples change no bit", async () => {
    const { stages } = opened({});
    const settings = { chunk: 10, left: 20, right: 5 };
    const at = (cuts: readonly number[]) =>
      blocksOf(new LogitStream(stages, settings, { memorySeconds: 0.5 }), wave, cuts);
    const expected = await at([]);
    expect(expected.length).toBe(12);
    for (const cuts of [[1, 2, 3], [4000, 4000, 9999, 30_000], Array.from({ length: 300 }, (_, i) => i * 128)])
      expect(joined(await at(cuts))).toEqual(joined(expected));
  });

  test("a frame in the middle is what the model makes of its window alone, the positional convolution seeing what was before", async () => {
    const { config, stages } = opened({ convNorm: "layer", convBias: true, layers: 1, attentionFrom: noReuse(1) });
    const blocks = await blocksOf(new LogitStream(stages, { chunk: 10, left: 20, right: 5 }, RUNNING), wave, []);
    // features see samples only here, so those of the whole are those of the pieces
    const features = await stages.features(wave);
    const rows = (from: number, to: number, { data }: { readonly data: Float32Array }) => ({
      shape: [1, to - from, config.dim],
      data: data.slice(from * config.dim, to * config.dim),
    });
    const before = config.posConv.kernel / 2;
    const positioned = await stages.positions(rows(20 - before, 55, features));
    const { data } = await stages.logits(rows(before, before + 35, positioned));
    expect(worst(blocks[4].data, data.subarray(20 * config.dim, 30 * config.dim))).toBeLessThan(1e-5);
  });

  test("silence and the shortest recordings give numbers or nothing", async () => {
    const { stages } = opened({ normalizeWaveform: true });
    const of = (samples: number) =>
      blocksOf(new LogitStream(stages, { chunk: 4, left: 4, right: 2 }, RUNNING), new Float32Array(samples), []);
    expect(await of(0)).toEqual([]);
    expect(await of(FIELD - 1)).toEqual([]);
    expect((await of(FIELD)).map(({ frames }) => frames)).toEqual([1]);
    const silent = joined(await of(50 * SHIFT));
    expect(silent.every(Number.isFinite)).toBe(true);
  });
});

test("running statistics remember so much, as if what came before had been shorter", () => {
  const [config] = [base];
  const pass = new RecordingPass(config);
  const [loud, soft] = [recording(16_000), recording(16_000, 4).map((x) => x / 10)];
  pass.add(loud);
  pass.weigh(0.25);
  pass.add(soft);
  const { covariance } = pass.finish();
  const alone = [loud, soft].map((wave) => {
    const own = new RecordingPass(config);
    own.add(wave);
    return own.finish().covariance?.[0] ?? Number.NaN;
  });
  // four parts of the soft one to one of the loud one; both means are nearly 0
  expect(covariance?.[0]).toBeCloseTo((alone[0] + 4 * alone[1]) / 5, 4);
});
