// Students in transformers: the Python file of their folders gives the hidden states that we give.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { loadModel, writeModelFolder } from "../../../src/checkpoint/index.ts";
import type { HostArray } from "../../../src/graph/array.ts";
import type { ModelConfig } from "../../../src/models/config.ts";
import { padWaveforms } from "../../../src/models/waveform.ts";
import { createRuntime } from "../../../src/runtime/node/index.ts";
import { createModel } from "../../../src/upstream/model.ts";
import { relativeDifference, temporaryFolder, tinyModel, waveforms } from "../../export/cases.ts";
import { findTransformers, runTorch } from "../../superb/torch.ts";

const python = findTransformers();
const folder = temporaryFolder();
const LIMIT = 2e-4;

/** What no class of transformers can hold, of every kind. */
const STUDENTS: Record<string, Partial<ModelConfig>> = {
  "exact reuse, GroupNorm, post-LN": { posConv: { kernel: 15, groups: 4 } },
  "official reuse": { reuse: "official" },
  "no feature projection": { featureProjection: false, dim: 24, heads: 3, headDim: null, headLayers: [] },
  "LayerNorm, pre-LN, normalised waveforms": { convNorm: "layer", convBias: true, normFirst: true, normalizeWaveform: true, attentionFrom: [0, 1, 1, 1], headLayers: [3] }, // biome-ignore format: one line
  "gated relative positions": { relativePosition: { buckets: 32, maxDistance: 20 }, frameRule: "ratio" },
  "gated relative positions, official, pre-LN": { relativePosition: { buckets: 16, maxDistance: 40 }, convNorm: "layer", normFirst: true, reuse: "official" }, // biome-ignore format: one line
  "BatchNorm before the positions": { posConv: { kernel: 16, groups: 4, batchNorm: true } },
  pruned: {
    relativePosition: { buckets: 32, maxDistance: 20 },
    channelScale: true,
    attentionFrom: [0, 1, 2, 2],
    layerShapes: [
      { heads: 4, ffnDim: 48, biasHeads: null },
      { heads: 0, ffnDim: 20, biasHeads: null },
      { heads: 2, ffnDim: 0, biasHeads: [1, 3] },
      { heads: 2, ffnDim: 30, biasHeads: null },
    ],
  },
};

interface Computed {
  readonly version: string;
  readonly results: readonly {
    readonly states: readonly HostArray[];
    readonly heads: readonly HostArray[];
    readonly alone: readonly [HostArray];
    readonly maps: readonly (readonly number[])[];
    readonly still: readonly string[];
  }[];
}

test("the example student carries the file that is written today", () => {
  const text = (path: string) => readFileSync(fileURLToPath(new URL(`../../../${path}`, import.meta.url)), "utf8");
  const name = "modeling_stillwave.py";
  expect(text(`examples/student-small-libri/${name}`)).toBe(text(`python/${name}`));
});

describe.skipIf(!python)("AutoModel.from_pretrained with trust_remote_code", () => {
  test("gives our hidden states and heads, in a padded batch too, and saves what loads again", async () => {
    const names = Object.keys(STUDENTS);
    const places = names.map((name) => join(folder, name.replace(/\W+/g, "-")));
    for (const [i, name] of names.entries()) await writeModelFolder(places[i], tinyModel(STUDENTS[name], i));
    const batch = padWaveforms(waveforms(5, 1700, 900, 1301));
    const { wave, paddedSamples: padded, samples } = batch;
    const script = readFileSync(fileURLToPath(new URL("transformers_students.py", import.meta.url)), "utf8");
    const input = { folder, models: places, wave: [...wave], padded, samples };
    const { version, results } = runTorch(python!, script, input) as Computed;
    console.log(`transformers ${version}`);
    const runtime = await createRuntime({ threads: 1 });
    for (const [i, { states, heads, alone, maps, still }] of results.entries()) {
      const loaded = await loadModel(places[i]);
      const { config } = loaded;
      const model = createModel(loaded, runtime);
      const own = await model.extract(batch, { normalize: false });
      const [first] = (await model.extract(wave.slice(0, samples[0]), { normalize: false })).hiddenStates.slice(-1);
      await model.dispose();
      const compare = (ours: readonly HostArray[], theirs: readonly HostArray[], what: string) => {
        expect(ours, `${names[i]}: ${what}`).toHaveLength(theirs.length);
        for (const [k, array] of ours.entries())
          expect(
            relativeDifference(array, theirs[k], array === first ? undefined : own.validFrames),
            `${names[i]}: ${what} ${k}`,
          ).toBeLessThan(LIMIT);
      };
      compare(own.hiddenStates, states, "state");
      compare(own.heads, heads, "head");
      compare([first], alone, "alone");
      const [, frames] = states[0].shape;
      const attending = config.layerShapes?.filter((shape) => shape.heads > 0) ?? config.attentionFrom;
      expect(maps).toHaveLength(attending.length);
      for (const shape of maps) expect(shape.slice(2)).toEqual([frames, frames]);
      expect(still, names[i]).toEqual([]);
      expect((await loadModel(join(places[i], "saved"))).parameters, names[i]).toEqual(loaded.parameters);
    }
  }, 120_000);
});
