// Layers that differ: what a configuration may say, and gradients through all that is left.
import { describe, expect, test } from "vitest";
import { gradients } from "../../src/autodiff/gradient.ts";
import * as g from "../../src/graph/ops.ts";
import { checkModelConfig, type LayerShape, type ModelConfig } from "../../src/models/config.ts";
import { encode, extractFeatures } from "../../src/models/forward.ts";
import { initParameters } from "../../src/models/init.ts";
import { parameterInputs, waveInput } from "../../src/models/trace.ts";
import { Random } from "../../src/random.ts";
import { createRuntime } from "../../src/runtime/node/index.ts";
import type { Feed } from "../../src/runtime/runtime.ts";

const shape = (heads: number, ffnDim: number, biasHeads: number[] | null = null): LayerShape => ({
  heads,
  ffnDim,
  biasHeads,
});
const base: ModelConfig = {
  family: "student",
  conv: [
    { channels: 6, kernel: 10, stride: 5 },
    { channels: 7, kernel: 3, stride: 2 },
  ],
  convNorm: "group",
  convBias: false,
  featureProjection: true,
  dim: 16,
  layers: 4,
  heads: 4,
  ffnDim: 20,
  layerShapes: [shape(3, 20), shape(3, 0), shape(0, 11), shape(1, 5)],
  channelScale: true,
  posConv: { kernel: 4, groups: 2 },
  normFirst: false,
  normalizeWaveform: false,
  layerNormEps: 1e-5,
  relativePosition: null,
  attentionFrom: [0, 0, 2, 3],
  reuse: "exact",
  frameRule: "conv",
  headDim: null,
  headLayers: [],
};

describe("configurations", () => {
  const refused: [string, Partial<ModelConfig>, string][] = [
    ["too few entries", { layerShapes: [shape(3, 20)] }, "layerShapes needs 4 entries, got 1"],
    ["too many heads", { layerShapes: [shape(5, 20), shape(5, 0), shape(0, 1), shape(1, 1)] }, "0..4, got 5"],
    ["too wide", { layerShapes: [shape(3, 21), shape(3, 0), shape(0, 1), shape(1, 1)] }, "0..20, got 21"],
    [
      "a map of other heads",
      { layerShapes: [shape(3, 1), shape(2, 1), shape(0, 1), shape(1, 1)] },
      "layer 1 with 2 heads cannot use the map of layer 0 with 3",
    ],
    ["a map of no heads", { attentionFrom: [0, 0, 2, 2] }, "layer 3 with 1 heads cannot use the map of layer 2 with 0"],
    [
      "a head twice",
      { layerShapes: [shape(2, 1, [1, 1]), shape(2, 0), shape(0, 1), shape(1, 1)] },
      "layerShapes[0].biasHeads must be 2 ascending numbers below 4, got [1, 1]",
    ],
    [
      "a head beyond",
      { layerShapes: [shape(2, 1, [1, 4]), shape(2, 0), shape(0, 1), shape(1, 1)] },
      "ascending numbers below 4",
    ],
    [
      "a position bias of nobody",
      {
        layerShapes: [shape(0, 1), shape(2, 0), shape(0, 1), shape(1, 1)],
        attentionFrom: [0, 1, 2, 3],
        relativePosition: { buckets: 8, maxDistance: 8 },
      },
      "the relative position bias belongs to the attention of layer 0",
    ],
  ];
  test.each(refused)("%s", (_, changes, message) => {
    expect(() => checkModelConfig({ ...base, ...changes })).toThrow(message);
  });
});

test.each([false, true])("gradients of what is left match finite differences, pre-LN %s", async (normFirst) => {
  const config = { ...base, normFirst };
  checkModelConfig(config);
  const parameters = initParameters(config, { seed: 3 });
  const random = new Random(3, "louder");
  for (const [, { data }] of parameters) for (let i = 0; i < data.length; i++) data[i] += 0.2 * random.normal();

  const { values, lookup } = parameterInputs(config);
  const features = extractFeatures(config, lookup, waveInput(), { features: "channels-last" });
  const { last } = encode(config, lookup, features.projected, null);
  const loss = g.mean(g.mul(g.mul(last, last), last), [0, 1, 2]);
  const names = [
    "feature_extractor.channel_scale",
    "feature_extractor.conv_layers.0.conv.weight",
    "encoder.layers.0.attention.q_proj.weight",
    "encoder.layers.1.attention.out_proj.weight",
    "encoder.layers.2.feed_forward.intermediate_dense.weight",
    "encoder.layers.3.attention.v_proj.bias",
  ];
  const slopes = gradients(loss, names.map((name) => values.get(name)!)); // biome-ignore format: one line
  const runtime = await createRuntime({ device: "cpu" });
  const outputs = new Map([["loss", loss], ...names.map((name, i) => [`d.${name}`, slopes[i]] as const)]);
  const step = await runtime.compile({ name: "pruned", outputs });
  const wave = { shape: [2, 160], data: Float32Array.from({ length: 320 }, () => random.normal()) };
  const feeds: Record<string, Feed> = { ...Object.fromEntries(parameters), wave };
  const at = (await step.run(feeds)) as Record<string, { data: Float32Array }>;
  for (const name of names) {
    const { shape: size, data } = parameters.get(name)!;
    const slope = at[`d.${name}`].data;
    // along the gradient itself: the loss must rise by its length
    const length = Math.hypot(...slope);
    expect(length, name).toBeGreaterThan(1e-6);
    const reach = 0.01 / length;
    const lossAt = async (far: number) => {
      const moved = data.map((value, i) => value + far * slope[i]);
      return (await step.run({ ...feeds, [name]: { shape: size, data: moved } })).loss!.data[0] as number;
    };
    const rise = ((await lossAt(reach)) - (await lossAt(-reach))) / (2 * reach);
    expect(Math.abs(rise / length ** 2 - 1), name).toBeLessThan(0.03);
  }
  await step.dispose();
});
