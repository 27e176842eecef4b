// The parts of a run from a recipe: speech in a fixed order, bad files, teacher record, finished model folders.
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { loadCheckpoint, loadModel, writeModelFolder } from "../../src/checkpoint/index.ts";
import type { Batch } from "../../src/data/batch.ts";
import { createHostLearner } from "../../src/distill/learner/host.ts";
import { layersObjective } from "../../src/distill/objectives/layers.ts";
import { prepareWith } from "../../src/distill/prepare.ts";
import { parseRecipe } from "../../src/distill/recipe/read.ts";
import { studentConfig } from "../../src/distill/recipe/student.ts";
import { distillRun } from "../../src/distill/run.ts";
import { openSpeech } from "../../src/distill/speech.ts";
import type { DistillStep } from "../../src/distill/step.ts";
import { type HostArray, sizeOf } from "../../src/graph/array.ts";
import { type ModelConfig, noReuse } from "../../src/models/config.ts";
import { parameterSpecs } from "../../src/models/parameters.ts";
import { Random } from "../../src/random.ts";
import { createRuntime } from "../../src/runtime/node/index.ts";
import { wav16 } from "../audio/signals.ts";
import { doneOf, events, notesOf } from "./fake-run.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "stillwave-prepare-"));
  for (const split of ["train", "dev"]) mkdirSync(join(root, "speech", split), { recursive: true });
  for (let i = 0; i < 9; i++) writeWav(join(root, "speech", "train", `t${i}.wav`), 3200 + 320 * ((i * 5) % 9));
  for (let i = 0; i < 3; i++) writeWav(join(root, "speech", "dev", `d${i}.wav`), 4000 + 800 * i);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** 16 kHz mono 16-bit noise. */
function writeWav(path: string, samples: number): void {
  const random = new Random(samples, path.slice(-6));
  const noise = Array.from({ length: samples }, () => (Math.round(3000 * random.normal()) | 0) / 32768);
  writeFileSync(path, wav16(noise));
}

const conv = "[[8, 10, 5], [8, 3, 2], [8, 3, 2], [8, 3, 2], [8, 3, 2], [dim, 2, 2], [dim, 2, 2]]";

function recipe(set: string[] = []) {
  const text = `
teacher: ${JSON.stringify(join(root, "teacher"))}
student: { layers: 2, dim: 16, ffnDim: 24, heads: 2, conv: ${conv}, attentionFrom: every 2, posConv: { kernel: 4, groups: 2 } }
data:
  train: { path: ${JSON.stringify(join(root, "speech"))}, splits: [train] }
  validation: { path: ${JSON.stringify(join(root, "speech"))}, splits: [dev] }
  batchSize: 2
  workers: 1
run: { steps: 6, outDir: ${JSON.stringify(join(root, "run"))}, validateEverySteps: 2, checkpointEverySteps: 2 }
`;
  return parseRecipe(text, "test.yaml", set);
}

const teacherConfig: ModelConfig = {
  family: "hubert",
  conv: [10, 3, 3, 3, 3, 2, 2].map((kernel, i) => ({ channels: 8, kernel, stride: i === 0 ? 5 : 2 })),
  convNorm: "group",
  convBias: false,
  featureProjection: true,
  dim: 20,
  layers: 2,
  heads: 2,
  ffnDim: 24,
  posConv: { kernel: 4, groups: 2 },
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

const filled = (config: ModelConfig, value: number) =>
  new Map(
    parameterSpecs(config).map(({ name, shape }): [string, HostArray] => [
      name,
      { shape, data: new Float32Array(sizeOf(shape)).fill(value) },
    ]),
  );

const framesIn = (samples: number) => Math.floor((samples - 80) / 320);

/** A step with the student's real parameters whose loss is the mean square of its weights. */
function shrinkingStep(config: ModelConfig): DistillStep {
  const specs = parameterSpecs(config);
  const size = specs.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  const weights = new Float32Array(size).fill(0.5);
  const gradients = new Float32Array(size);
  let at = 0;
  const parameters = new Map(
    specs.map(({ name, shape }): [string, HostArray] => {
      const start = at;
      at += sizeOf(shape);
      return [name, { shape, data: weights.subarray(start, at) }];
    }),
  );
  const losses = () => {
    const total = weights.reduce((sum, w) => sum + w * w, 0) / size;
    const terms = { "layers.masked": [0, 0], "layers.unmasked": [total, total] };
    return { total, terms, counts: { frames: 1, pairs: 1, masked: 0, unmasked: 1 } };
  };
  return {
    objectives: [
      layersObjective(
        { kind: "mse", hintWeight: 0.1, lastWeight: 1 },
        config.headLayers.map((layer) => ({ teacher: 0, layers: [layer], pass: "mixed", dim: config.dim })),
      ),
    ],
    parameters,
    weights,
    gradients,
    zeroGradients: () => void gradients.fill(0),
    async accumulate(_, scale) {
      for (let i = 0; i < size; i++) gradients[i] += scale * weights[i];
      return losses();
    },
    validate: async () => losses(),
    framesOf: ({ samples, paddedSamples }) => ({ frames: framesIn(paddedSamples), valid: samples.map(framesIn) }),
    dispose: async () => {},
  };
}

const prepare = prepareWith(async (recipe) => {
  const teacher = await loadCheckpoint(recipe.teacher);
  const student = studentConfig(recipe, teacher.config);
  return {
    teachers: [teacher],
    student,
    runtime: await createRuntime(),
    makeLearner: async () => createHostLearner(shrinkingStep(student), recipe.optimizer),
  };
});
const idsOf = async (batches: AsyncIterable<Batch>) => {
  const ids: string[] = [];
  for await (const batch of batches) ids.push(batch.ids.join("+"));
  return ids;
};

test("a run from teacher and speech on disk ends with models that load", async () => {
  await writeModelFolder(join(root, "teacher"), { config: teacherConfig, parameters: filled(teacherConfig, 0.1) });
  const { summary, folder } = doneOf(await events(distillRun({ recipe: recipe(), prepare })));
  expect(summary.finalValidation!).toBeLessThan(summary.initialValidation!);
  const best = await loadModel(join(folder, summary.models.best!));
  expect(best.config).toMatchObject({ family: "student", dim: 16, headDim: 20, attentionFrom: [0, 0] });
  const manifest = JSON.parse(readFileSync(join(folder, "run.json"), "utf8"));
  expect(manifest.data).toMatchObject({ train: { utterances: 9 }, validation: { utterances: 3 } });
  expect(manifest.teacher).toMatchObject({ family: "hubert", layers: 2, dim: 20 });
  expect(manifest.teacher.sha256).toMatch(/^[0-9a-f]{64}$/);
  const card = readFileSync(join(folder, "last", "README.md"), "utf8");
  expect(card).toMatch(/9 utterances/);
  expect(card).toContain(summary.initialValidation!.toPrecision(5));
  expect(card).toMatch(/^---\nlicense: unknown\n[\s\S]*\nbase_model: teacher\n/);
  // paths of this machine are in run.json, and in nothing that is passed on
  expect(manifest.recipe.teacher).toContain(root);
  for (const role of ["best", "last"])
    for (const name of readdirSync(join(folder, role)))
      expect(readFileSync(join(folder, role, name), "latin1"), name).not.toContain(root);
  // another teacher under the same path: not the same run
  await writeModelFolder(join(root, "teacher"), { config: teacherConfig, parameters: filled(teacherConfig, 0.2) });
  rmSync(join(folder, "summary.json"));
  const again = distillRun({ recipe: recipe(), prepare, resume: true });
  await expect(events(again)).rejects.toThrow(/teacher differ/);
});

test("speech comes in the same order from any batch on, in another order each epoch", async () => {
  const speech = await openSpeech(recipe(), { minSamples: 400 });
  expect(speech.train.batchesPerEpoch).toBe(5);
  const whole = await idsOf(speech.train.batches(3, 0));
  expect(await idsOf(speech.train.batches(3, 2))).toEqual(whole.slice(2));
  expect(await idsOf(speech.train.batches(3, 5))).toEqual([]);
  const orders = await Promise.all([0, 1, 2, 3].map((epoch) => idsOf(speech.train.batches(epoch, 0))));
  expect(new Set(orders.map((order) => order.join())).size).toBeGreaterThan(1);
  for (const order of orders) expect(order.flatMap((ids) => ids.split("+"))).toHaveLength(9);
  const validation = (await idsOf(speech.validation!.batches())).flatMap((ids) => ids.split("+"));
  expect(validation.map((id) => id.slice(-2))).toEqual(["d0", "d1", "d2"]);
  await speech.close();
});

test("validationUtterances limits the validation set; a corpus smaller than a batch is one batch", async () => {
  const speech = await openSpeech(recipe(["run.validationUtterances=1", "data.batchSize=50"]), { minSamples: 400 });
  expect(speech.validation!.utterances).toBe(1);
  expect(speech.train.batchesPerEpoch).toBe(1);
  await speech.close();
});

test("a validation set that is trained on is refused: the same split, shared files, parts, a copy", async () => {
  const list = (name: string, rows: readonly object[]) => {
    writeFileSync(join(root, name), rows.map((row) => JSON.stringify(row)).join("\n"));
    return join(root, name);
  };
  const at = (id: string, startFrame: number) => ({
    id,
    path: "speech/train/t0.wav",
    start_frame: startFrame,
    num_frames: 1000,
  });
  const open = (set: string[]) => openSpeech(recipe(set), { minSamples: 400 });
  await expect(open(["data.validation.splits=[train]"])).rejects.toThrow(
    /^data\.validation: 9 of its 9 utterances are in data\.train too \(train\/t0, .* and 4 more\); .* data\.validation=null/,
  );
  await expect(open(["data.train.splits=[train, dev]"])).rejects.toThrow(
    /3 of its 3 utterances are in data\.train too/,
  );
  const [train, apart, shared] = [
    list("train.jsonl", [at("a", 0), at("b", 1000)]),
    list("apart.jsonl", [at("c", 2000)]),
    list("shared.jsonl", [at("c", 2000), at("d", 1500)]),
  ];
  const lists = (validation: string) => [`data.train={path: "${train}"}`, `data.validation={path: "${validation}"}`];
  await (await open(lists(apart))).close();
  await expect(open(lists(shared))).rejects.toThrow(/1 of its 2 utterances are in data\.train too \(d\)/);
  cpSync(join(root, "speech"), join(root, "copy"), { recursive: true });
  await expect(open([`data.validation={path: "${join(root, "copy")}", splits: [train]}`])).rejects.toThrow(
    /9 of its 9/,
  );
});

test("a folder without the recipe's splits is told what to set", async () => {
  const set = [`data.train.path="${join(root, "speech", "train")}"`];
  await expect(openSpeech(recipe(set), { minSamples: 400 })).rejects.toThrow(
    /^data\.train: .*train: no split "train"; there is none; .* --set data\.train\.splits=\[\]$/,
  );
  const speech = await openSpeech(recipe([...set, "data.train.splits=[]"]), { minSamples: 400 });
  expect(speech.records.train.utterances).toBe(9);
  await speech.close();
});

test("a bad file stops the run, or is left out and told", async () => {
  await writeModelFolder(join(root, "teacher"), { config: teacherConfig, parameters: filled(teacherConfig, 0.1) });
  writeFileSync(join(root, "speech", "train", "broken.wav"), "not audio at all, but long enough to be a header");
  await expect(events(distillRun({ recipe: recipe(), prepare }))).rejects.toThrow(/broken\.wav/);
  const all = await events(distillRun({ recipe: recipe(["data.onBadFile=skip"]), prepare }));
  expect(notesOf(all).join("\n")).toMatch(/1 bad files left out.*broken\.wav/);
  doneOf(all);
});

test("an empty folder or a missing teacher is one clear error, and no run folder is left", async () => {
  mkdirSync(join(root, "speech", "empty"));
  await expect(events(distillRun({ recipe: recipe(), prepare }))).rejects.toThrow(/teacher: no such file/);
  await writeModelFolder(join(root, "teacher"), { config: teacherConfig, parameters: filled(teacherConfig, 0.1) });
  await expect(events(distillRun({ recipe: recipe(["data.train.splits=[empty]"]), prepare }))).rejects.toThrow(
    /no audio files/,
  );
  const { existsSync } = await import("node:fs");
  expect(existsSync(join(root, "run"))).toBe(false);
  const narrow = recipe(["student.headDim=17"]);
  await expect(events(distillRun({ recipe: narrow, prepare }))).rejects.toThrow(/student.headDim is 17/);
});
