// Distances between attention maps, patterns of reuse against all there are, likeness of states, and a whole measurement.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { studentConfig } from "../../src/distill/recipe/student.ts";
import { chosenReuse } from "../../src/maps/choose.ts";
import { MapDistances } from "../../src/maps/distances.ts";
import { type MapsResult, measureMaps } from "../../src/maps/measure.ts";
import { bestBlocks, bestSources, lossOf } from "../../src/maps/patterns.ts";
import { groupLayers, linearCka, pickRows } from "../../src/maps/similarity.ts";
import type { ModelConfig } from "../../src/models/config.ts";
import { initParameters } from "../../src/models/init.ts";
import { Random } from "../../src/random.ts";
import { writeMapsPage } from "../../src/report/maps/page.ts";
import { createRuntime } from "../../src/runtime/node/index.ts";
import { createModel } from "../../src/upstream/model.ts";
import { wav16 } from "../audio/signals.ts";
import { temporaryFolder } from "../data/corpora.ts";
import { teacherConfig, tinyRecipe } from "../distill/learner/tiny.ts";
import { valueAt } from "../distill/objectives/lesson.ts";

const HEADS = 2;
const FRAMES = 4;

/** [1, heads, query, key]: rows of a softmax. */
function mapOf(key: number) {
  const data = Float32Array.from({ length: HEADS * FRAMES * FRAMES }, (_, i) => Math.exp(2 * valueAt(key, i)));
  for (let row = 0; row < HEADS * FRAMES; row++) {
    const own = data.subarray(row * FRAMES, (row + 1) * FRAMES);
    const sum = own.reduce((a, b) => a + b, 0);
    own.forEach((value, i) => {
      own[i] = value / sum;
    });
  }
  return { shape: [1, HEADS, FRAMES, FRAMES], data };
}

describe("distances", () => {
  const all = [0, 1, 2, 3];
  // PyTorch in float64, over both assignments of heads
  test.each([
    [1, 0, [1, 0], 0.07671386120035176, 0.2137216388102493],
    [2, 0, [0, 1], 0.3821915186806395, 0.6051483427304922],
    [2, 1, [1, 0], 0.40214595608776393, 0.6196108553642532],
  ])("of layers %d and %d are the divergence and variation of heads matched best", (later, earlier, heads, js, tv) => {
    const distances = new MapDistances(3, HEADS);
    distances.add([0, 1, 2].map(mapOf), all);
    const found = distances.between(later, earlier);
    expect(found.heads).toEqual(heads);
    expect(found.jensenShannon).toBeCloseTo(js, 6);
    expect(found.totalVariation).toBeCloseTo(tv, 6);
  });

  test("utterances weigh by the frames that are compared; a map taken over is at no distance", () => {
    const [a, b] = [mapOf(0), mapOf(1)];
    const whole = new MapDistances(2, HEADS);
    whole.add([a, b], all);
    const parts = new MapDistances(2, HEADS);
    parts.add([a, b], [0]);
    parts.add([a, b], [1, 2, 3]);
    expect(parts.between(1, 0).jensenShannon).toBeCloseTo(whole.between(1, 0).jensenShannon, 12);
    const same = new MapDistances(2, HEADS);
    same.add([a, a], all);
    expect(same.between(1, 0)).toMatchObject({ heads: [0, 1], totalVariation: 0 });
    expect(Math.abs(same.between(1, 0).jensenShannon)).toBeLessThan(1e-12);
  });
});

/** Every pattern of `layers` layers with `computing` of them computing. */
function allPatterns(layers: number, computing: number): number[][] {
  let patterns: number[][] = [[0]];
  for (let layer = 1; layer < layers; layer++)
    patterns = patterns.flatMap((pattern) => [
      [...pattern, layer],
      ...pattern.filter((source, own) => source === own).map((source) => [...pattern, source]),
    ]);
  return patterns.filter((pattern) => pattern.filter((source, layer) => source === layer).length === computing);
}

const inBlocks = (pattern: readonly number[]) =>
  pattern.every((source, layer) => source === layer || source === pattern[layer - 1]);

test("patterns are the best of all there are", () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 6 }), fc.nat(), (layers, seed) => {
      const random = new Random(seed, "losses");
      const losses = Array.from({ length: layers }, () => Array.from({ length: layers }, () => random.integer(8) / 8));
      const loss = (later: number, earlier: number) => losses[later][earlier];
      const [blocks, any] = [bestBlocks(layers, loss), bestSources(layers, loss) ?? []];
      for (let computing = 1; computing <= layers; computing++) {
        const all = allPatterns(layers, computing);
        const least = (patterns: readonly number[][]) => Math.min(...patterns.map((one) => lossOf(one, loss)));
        for (const [found, among] of [
          [blocks[computing - 1], all.filter(inBlocks)],
          [any[computing - 1], all],
        ] as const) {
          expect(found.loss).toBeCloseTo(least(among), 12);
          expect(lossOf(found.attentionFrom, loss)).toBeCloseTo(found.loss, 12);
          expect(among).toContainEqual(found.attentionFrom);
        }
      }
    }),
    { numRuns: 60, seed: 3 },
  );
});

test("24 layers are searched in no time, 25 are not", () => {
  const random = new Random(1, "losses");
  const losses = Array.from({ length: 25 }, () => Array.from({ length: 25 }, () => random.uniform()));
  const loss = (later: number, earlier: number) => losses[later][earlier];
  expect(bestSources(25, loss)).toBeUndefined();
  const [blocks, any] = [bestBlocks(24, loss), bestSources(24, loss) ?? []];
  expect(any).toHaveLength(24);
  for (const [i, one] of any.entries()) expect(one.loss).toBeLessThanOrEqual(blocks[i].loss);
});

test("likeness of states is linear CKA (PyTorch), groups are by average linkage", () => {
  const widths = [3, 4, 3];
  const states = widths.map((dim, key) => ({
    dim,
    data: Float32Array.from({ length: 6 * dim }, (_, i) => valueAt(key, i)),
  }));
  const cka = linearCka(states);
  expect(cka[0][1]).toBeCloseTo(0.3937556165022589, 6);
  expect(cka[0][2]).toBeCloseTo(0.9322605641088907, 6);
  expect(cka[1][2]).toBeCloseTo(0.1944048124671172, 6);
  expect(groupLayers(cka, 2)).toEqual([[0, 2], [1]]);
  // 0 and 1 first; then 2 is alike to 3 by 0.6 and to both of them by 0.55 on average
  const similarity = [
    [1, 0.9, 0.3, 0.1],
    [0.9, 1, 0.8, 0.2],
    [0.3, 0.8, 1, 0.6],
    [0.1, 0.2, 0.6, 1],
  ];
  expect(groupLayers(similarity, 3)).toEqual([[0, 1], [2], [3]]);
  expect(groupLayers(similarity, 2)).toEqual([
    [0, 1],
    [2, 3],
  ]);
  expect(groupLayers(similarity, 1)).toEqual([[0, 1, 2, 3]]);
  expect(pickRows({ shape: [1, 3, 2], data: Float32Array.of(0, 1, 2, 3, 4, 5) }, [2, 0])).toEqual(
    Float32Array.of(4, 5, 0, 1),
  );
});

describe("a model on speech", () => {
  let root: string;
  beforeAll(() => {
    root = join(temporaryFolder(), "speech");
    mkdirSync(root);
    for (let i = 0; i < 3; i++) {
      const random = new Random(i, "speech");
      writeFileSync(join(root, `${i}.wav`), wav16(Array.from({ length: 900 + 100 * i }, () => 0.2 * random.normal())));
    }
  });
  const models: readonly (readonly [string, ModelConfig])[] = [
    ["HuBERT", teacherConfig({ layers: 3, attentionFrom: [0, 1, 2] })],
    ["wav2vec 2.0", teacherConfig({ family: "wav2vec2", normFirst: true, normalizeWaveform: true })],
    ["WavLM", teacherConfig({ family: "wavlm", relativePosition: { buckets: 8, maxDistance: 16 } })],
    ["a student", studentConfig(tinyRecipe(), teacherConfig())],
  ];

  test.each(models)("%s", async (name, config) => {
    const model = createModel({ config, parameters: initParameters(config, { seed: 1 }) }, await createRuntime());
    const result: MapsResult = await measureMaps(model, { path: root, utterances: 2, queries: 8 });
    await model.dispose();
    const { layers } = config;
    expect(result).toMatchObject({ layers, heads: 2, utterances: 2, queries: 16 });
    for (const matrix of [result.jensenShannon, result.totalVariation])
      for (const [a, row] of matrix.entries())
        for (const [b, value] of row.entries()) {
          expect(value).toBe(matrix[b][a]);
          const isOne = a === b || name === "a student";
          if (isOne) expect(Math.abs(value)).toBeLessThan(1e-12);
          else expect(value > 0 && value < 1).toBe(true);
        }
    expect(result.reuse.map(({ computing }) => computing)).toEqual([...Array(layers).keys()].map((i) => i + 1));
    expect(result.reuse.at(-1)?.blocks).toEqual({ attentionFrom: [...Array(layers).keys()], loss: 0 });
    const chosen = chosenReuse(result);
    expect(chosen.computing).toBe(Math.ceil(layers / 2));
    const page = writeMapsPage({ model: "<m>", data: "speech", result, chosen });
    expect(page).toContain(`attentionFrom: [${(chosen.any ?? chosen.blocks).attentionFrom.join(", ")}]`);
    expect(page).not.toContain("<m>");
    expect(() => chosenReuse(result, layers + 1)).toThrow(`the model has ${layers} layers`);
  });

  test("pruned models and models of one layer are refused", async () => {
    const runtime = await createRuntime();
    const refused = (config: ModelConfig) =>
      measureMaps(createModel({ config, parameters: new Map() }, runtime), { path: root });
    const pruned = [1, 2].map((heads) => ({ heads, ffnDim: 24, biasHeads: null }));
    await expect(refused(teacherConfig({ layerShapes: pruned }))).rejects.toThrow("layer 0 has 1 heads and others 2");
    await expect(refused(teacherConfig({ layers: 1, attentionFrom: [0] }))).rejects.toThrow("one layer");
  });
});
