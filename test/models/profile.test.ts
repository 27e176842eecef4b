// Parameters and MACs against the published models of arXiv:2305.11685 and against counts done by hand.
import { describe, expect, test } from "vitest";
import { type ConvLayer, type ModelConfig, noReuse, reuseEvery } from "../../src/models/config.ts";
import { parameterSpecs } from "../../src/models/parameters.ts";
import { profile } from "../../src/models/profile.ts";

const conv = (...layers: [number, number, number][]): ConvLayer[] =>
  layers.map(([channels, kernel, stride]) => ({ channels, kernel, stride }));

const hubertBase: ModelConfig = {
  family: "hubert",
  conv: conv([512, 10, 5], [512, 3, 2], [512, 3, 2], [512, 3, 2], [512, 3, 2], [512, 2, 2], [512, 2, 2]),
  convNorm: "group",
  convBias: false,
  featureProjection: true,
  dim: 768,
  layers: 12,
  heads: 12,
  ffnDim: 3072,
  posConv: { kernel: 128, groups: 16 },
  normFirst: false,
  normalizeWaveform: false,
  layerNormEps: 1e-5,
  relativePosition: null,
  attentionFrom: noReuse(12),
  reuse: "exact",
  frameRule: "ratio",
  headDim: null,
  headLayers: [],
};

const student = (dim: number, ffnDim: number, every: number): ModelConfig => ({
  ...hubertBase,
  family: "student",
  conv: conv(
    [128, 10, 5],
    [256, 1, 1],
    [256, 3, 2],
    [256, 3, 2],
    [256, 3, 2],
    [256, 3, 2],
    [dim, 1, 1],
    [dim, 2, 2],
    [dim, 2, 2],
  ),
  featureProjection: false,
  dim,
  ffnDim,
  attentionFrom: reuseEvery(every, 12),
  frameRule: "conv",
  headDim: 768,
  headLayers: noReuse(12),
});

const wavlmBase: ModelConfig = {
  ...hubertBase,
  family: "wavlm",
  relativePosition: { buckets: 320, maxDistance: 800 },
};

describe("published models at 10 s", () => {
  const cases: [string, ModelConfig, number, number, string, string][] = [
    ["HuBERT Base", hubertBase, 94_371_712, 0, "74.06", "100.0"],
    ["ARMHuBERT", student(480, 864, 2), 26_448_448, 4_432_896, "22.31", "30.1"],
    ["ARMHuBERT-S", student(432, 816, 2), 22_394_080, 3_990_528, "20.01", "27.0"],
    ["MaskHuBERT", student(480, 640, 1), 26_635_840, 4_432_896, "23.12", "31.2"],
  ];
  const teacherMacs = profile(hubertBase).macs.total;
  test.each(cases)("%s", (_, config, parameters, heads, gigaMacs, percent) => {
    const result = profile(config, { seconds: 10 });
    expect(result.frames).toBe(499);
    expect(result.samples).toBe(160_000);
    expect(result.parameters).toMatchObject({ total: parameters, heads, withoutHeads: parameters - heads });
    expect((result.macs.total / 1e9).toFixed(2)).toBe(gigaMacs);
    expect(((100 * result.macs.total) / teacherMacs).toFixed(1)).toBe(percent);
  });

  test("WavLM Base has 94,381,936 parameters", () => {
    expect(profile(wavlmBase).parameters.total).toBe(94_381_936);
  });

  test("the conv front end is 24.5 G of HuBERT Base's MACs", () => {
    expect((profile(hubertBase).macs.featureExtractor / 1e9).toFixed(1)).toBe("24.5");
  });
});

describe("by block", () => {
  test("ARMHuBERT", () => {
    const { byBlock } = profile(student(480, 864, 2)).parameters;
    const parameters = Object.fromEntries(byBlock.map((block) => [block.name, block.parameters]));
    expect(parameters).toMatchObject({
      "feature extractor": 1_865_216,
      "feature layer norm": 960,
      "mask embedding": 480,
      "positional conv": 1_843_808,
      "encoder layer norm": 960,
      "layer 0": 1_756_224,
      "layer 1": 1_294_464,
      "layer 10": 1_756_224,
      "layer 11": 1_294_464,
      heads: 4_432_896,
    });
    expect(byBlock.map((block) => block.attentionFrom).filter((source) => source !== undefined)).toEqual([
      0, 2, 4, 6, 8, 10,
    ]);
  });

  test.each([
    ["HuBERT Base", hubertBase],
    ["WavLM Base", wavlmBase],
    ["ARMHuBERT-S", student(432, 816, 2)],
  ])("%s: blocks and parts sum to the totals", (_, config) => {
    const { parameters, macs } = profile(config, { seconds: 3.21 });
    const sum = (values: number[]) => values.reduce((a, b) => a + b, 0);
    expect(sum(parameters.byBlock.map((block) => block.parameters))).toBe(parameters.total);
    expect(sum(parameters.byBlock.map((block) => block.macs))).toBe(macs.total);
    const { total, withoutHeads, ...parts } = macs;
    expect(sum(Object.values(parts))).toBe(total);
    expect(withoutHeads).toBe(total - macs.heads);
  });

  test("a model small enough to count by hand", () => {
    const tiny: ModelConfig = {
      ...hubertBase,
      conv: conv([3, 4, 2], [5, 2, 2]),
      dim: 8,
      layers: 3,
      heads: 2,
      ffnDim: 7,
      posConv: { kernel: 6, groups: 4 },
      attentionFrom: [0, 0, 0],
      headDim: 11,
      headLayers: [2],
    };
    // 20 samples -> floor((20 - 4) / 2) + 1 = 9 -> floor((9 - 2) / 2) + 1 = 4 frames.
    const { macs, frames, parameters } = profile(tiny, { seconds: 20 / 16000 });
    expect(frames).toBe(4);
    expect(macs.featureExtractor).toBe(9 * 3 * 1 * 4 + 4 * 5 * 3 * 2);
    expect(macs.featureProjection).toBe(4 * 5 * 8);
    expect(macs.positionalConv).toBe(4 * 8 * 2 * 6);
    const ffn = 2 * 4 * 8 * 7;
    const computing = 4 * (4 * 8 * 8) + 2 * (4 * 4 * 8) + ffn;
    const reusing = 2 * (4 * 8 * 8) + 4 * 4 * 8 + ffn;
    expect(macs.layers).toBe(computing + 2 * reusing);
    expect(macs.heads).toBe(4 * 8 * 11);
    expect(parameters.heads).toBe(8 * 11 + 11);
  });
});

describe("limits", () => {
  test("no frame, NaN, negative and absurd lengths are refused", () => {
    for (const seconds of [0, 399 / 16000, -1, Number.NaN, Number.POSITIVE_INFINITY, 3601])
      expect(() => profile(hubertBase, { seconds })).toThrow(/seconds must be at least 0.025/);
    expect(profile(hubertBase, { seconds: 0.025 }).frames).toBe(1);
  });

  test("an inconsistent config is refused by its field", () => {
    expect(() => profile({ ...hubertBase, heads: 7 })).toThrow(/dim 768 is not divisible by 7 heads/);
  });

  test("every parameter belongs to a block, in any layout", () => {
    for (const config of [{ ...wavlmBase, convNorm: "layer", convBias: true, normFirst: true } as const])
      expect(profile(config).parameters.byBlock.reduce((n, block) => n + block.parameters, 0)).toBe(
        parameterSpecs(config).reduce((n, { shape }) => n + shape.reduce((a, b) => a * b, 1), 0),
      );
  });
});
