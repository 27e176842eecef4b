// Inference on XLA devices: batches enlarged to few sizes give the numbers of ONNX Runtime on batches as they are.
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type ModelConfig, noReuse } from "../../src/models/config.ts";
import { initParameters } from "../../src/models/init.ts";
import { Random } from "../../src/random.ts";
import { createRuntime, type Runtime } from "../../src/runtime/node/index.ts";
import { ShapeLadder } from "../../src/runtime/shape-ladder.ts";
import { isXla } from "../../src/runtime/xla/index.ts";
import { createModel, type ExtractOptions } from "../../src/upstream/model.ts";
import { loadedUpstream } from "../../src/upstream/model-upstream.ts";
import { temporaryFolder } from "../data/corpora.ts";
import { describeWithPlugin } from "../runtime/xla/plugin.ts";

const base: ModelConfig = {
  family: "hubert",
  conv: [
    { channels: 8, kernel: 5, stride: 5 },
    { channels: 8, kernel: 2, stride: 2 },
  ],
  convNorm: "group",
  convBias: false,
  featureProjection: true,
  dim: 12,
  layers: 2,
  heads: 2,
  ffnDim: 16,
  posConv: { kernel: 6, groups: 2 },
  normFirst: false,
  normalizeWaveform: false,
  layerNormEps: 1e-5,
  relativePosition: null,
  attentionFrom: noReuse(2),
  reuse: "exact",
  frameRule: "ratio",
  headDim: null,
  headLayers: [],
};
const large: ModelConfig = { ...base, convNorm: "layer", convBias: true, normFirst: true, normalizeWaveform: true };
const wavlm: ModelConfig = { ...base, family: "wavlm", relativePosition: { buckets: 8, maxDistance: 16 } };

const waveOf = (samples: number) => {
  const random = new Random(3, "wave", samples);
  return Float32Array.from({ length: samples }, () => random.normal() / 5);
};

/** |a - b| over |b|. */
function distance(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length);
  const squares = (values: Iterable<number>) => [...values].reduce((sum, value) => sum + value * value, 0);
  return Math.sqrt(squares(a.map((value, i) => value - b[i])) / squares(b));
}

/** Cases: one waveform, several of one length, several of different lengths, and these apart from each other. */
const BATCHES: readonly (readonly [name: string, lengths: readonly number[], options: ExtractOptions])[] = [
  ["one", [400], { maps: true }],
  ["three of one length", [333, 333, 333], { maps: true }],
  ["padded", [400, 251, 130], { maps: true }],
  ["padded and apart", [400, 251, 130], { maps: true, isolate: true }],
];

describeWithPlugin("inference on XLA devices", () => {
  let [cpu, xla]: Runtime[] = [];
  beforeAll(async () => {
    vi.stubEnv("STILLWAVE_CACHE", temporaryFolder());
    vi.stubEnv("STILLWAVE_XLA_DEVICES", "2");
    cpu = await createRuntime({ threads: 1 });
    xla = await createRuntime({ device: "xla:cpu", threads: 1 });
  });
  afterAll(() => vi.unstubAllEnvs());
  const programs = () => (isXla(xla) ? xla.client.alive.programs : Number.NaN);

  test.each([
    ["group norm", base],
    ["layer norm, waves normalised", large],
    ["relative positions", wavlm],
  ])("numbers are those of batches as they are: %s", async (_, config) => {
    const model = createModel({ config, parameters: initParameters(config, { seed: 4 }) }, xla);
    const shapes = new ShapeLadder();
    shapes.expect([{ items: 4, length: 500 }]);
    for (const [name, lengths, options] of BATCHES) {
      const waves = lengths.map(waveOf);
      const exact = await model.extract(waves, { ...options, runtime: cpu });
      const own = await model.extract(waves, { ...options, shapes });
      expect(own.validFrames).toEqual(exact.validFrames);
      const pairs = [
        ...exact.hiddenStates.map((state, i) => [own.hiddenStates[i], state] as const),
        ...[...exact.maps].map(([layer, map]) => [own.maps.get(layer) ?? map, map] as const),
      ];
      for (const [computed, expected] of pairs) {
        expect(computed.shape).toEqual(expected.shape);
        const [, ...rest] = expected.shape;
        const perItem = rest.reduce((a, b) => a * b, 1);
        // padded frames hold numbers without meaning
        for (const [item, frames] of exact.validFrames.entries()) {
          const rows = expected.shape.length === 4 ? perItem : frames * expected.shape[2];
          const part = (data: Float32Array) => data.slice(item * perItem, item * perItem + rows);
          if (expected.shape.length === 4 && frames < rest[2]) continue;
          expect(distance(part(computed.data), part(expected.data)), name).toBeLessThan(3e-6);
        }
      }
    }
    await model.dispose();
  });

  test("many lengths need few programs, and batches under way at a time are shared out among the devices", async () => {
    const lengths = Array.from({ length: 24 }, (_, i) => 120 + 13 * i);
    const config = { ...base, layers: 1, attentionFrom: noReuse(1) };
    const weights = { config, parameters: initParameters(config, { seed: 4 }) };
    const before = programs();
    const [own, exact] = [
      await loadedUpstream("tiny", weights, { device: "xla:cpu", threads: 1 }),
      await loadedUpstream("tiny", weights, { threads: 1 }),
    ];
    expect(own.inParallel).toBe(2);
    own.expect?.(lengths.map((length) => ({ items: 1, length })));
    const states = await Promise.all(lengths.map((length) => own.extract([waveOf(length)])));
    expect(programs() - before).toBeLessThanOrEqual(5);
    for (const [i, length] of lengths.entries()) {
      const [expected] = await exact.extract([waveOf(length)]);
      expect(states[i][0].frames).toBe(expected.frames);
      expect(distance(states[i][0].data, expected.data)).toBeLessThan(3e-6);
    }
    await own.dispose();
    await exact.dispose();
    expect(programs()).toBe(before);
  });

  test("a model that mixes the utterances of a batch is computed as it is", async () => {
    const config: ModelConfig = { ...base, reuse: "official", attentionFrom: [0, 0] };
    const weights = { config, parameters: initParameters(config, { seed: 4 }) };
    const [own, exact] = [
      await loadedUpstream("mix", weights, { device: "xla:cpu", threads: 1 }),
      await loadedUpstream("mix", weights, { threads: 1 }),
    ];
    const [[computed], [expected]] = [await own.extract([waveOf(333)]), await exact.extract([waveOf(333)])];
    expect(distance(computed.data, expected.data)).toBeLessThan(3e-6);
    await own.dispose();
    await exact.dispose();
  });
});
