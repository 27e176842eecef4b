// A pre-training from speech to a model folder: what it tells and writes, what it refuses, and that others can read the model.
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadModel } from "../../src/checkpoint/index.ts";
import { readMetrics } from "../../src/log/index.ts";
import type { PretrainEvent } from "../../src/pretrain/events.ts";
import { type PretrainRunOptions, pretrainRun } from "../../src/pretrain/run.ts";
import { Random } from "../../src/random.ts";
import { reportPretraining } from "../../src/report/pretraining/build.ts";
import { createRuntime } from "../../src/runtime/node/index.ts";
import { createModel } from "../../src/upstream/model.ts";
import { findTransformers, runTorch } from "../superb/torch.ts";
import { allEvents, tinyRecipe } from "./tiny-run.ts";

let root: string;
let whole: string;
let events: PretrainEvent[];
const patient = 300_000;

const folderOf = (name: string) => mkdtempSync(join(root, `${name}-`));
const start = (folder: string, set: readonly string[] = [], options: Omit<PretrainRunOptions, "recipe"> = {}) =>
  allEvents(pretrainRun({ recipe: tinyRecipe(folder, set), ...options }));
const ofKind = <K extends PretrainEvent["kind"]>(all: readonly PretrainEvent[], kind: K) =>
  all.filter((event): event is Extract<PretrainEvent, { kind: K }> => event.kind === kind);

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "stillwave-pretrain-"));
  whole = folderOf("whole");
  events = await start(whole);
}, patient);
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe("a run", () => {
  test("tells of every stage in order, and ends with a summary", () => {
    const kinds = events.map(({ kind }) => kind).filter((kind, i, all) => kind !== all[i - 1] && kind !== "units");
    expect(kinds.filter((kind) => ["iteration", "units-made", "start", "trained", "done"].includes(kind))).toEqual([
      ...["iteration", "units-made", "start", "trained"],
      ...["iteration", "units-made", "start", "trained"],
      "done",
    ]);
    expect(ofKind(events, "step").map(({ iteration, step }) => [iteration, step])).toEqual([
      ...[1, 2, 3, 4, 5, 6].map((step) => [1, step]),
      ...[1, 2, 3, 4, 5].map((step) => [2, step]),
    ]);
    const [done] = ofKind(events, "done");
    expect(done).toMatchObject({ already: false, summary: { model: "iteration-2/last" } });
    expect(done.summary).toEqual(JSON.parse(readFileSync(join(whole, "run", "summary.json"), "utf8")));
    expect(done.summary.iterations.map(({ units }) => [units.clusters, units.features])).toEqual([
      [8, "MFCC"],
      [9, "layer 1"],
    ]);
  });

  test("writes what others read: metrics with accuracies, a report, model folders, no features", async () => {
    const run = join(whole, "run");
    expect(
      readdirSync(run)
        .filter((name) => !name.startsWith("index."))
        .sort(),
    ).toEqual(["iteration-1", "iteration-2", "recipe.resolved.yaml", "run.json", "summary.json"]);
    const rows = await readMetrics(join(run, "iteration-1", "metrics.jsonl"));
    for (const { terms } of rows)
      expect(Object.keys(terms ?? {})).toEqual(
        ["masked", "unmasked", "penalty", "maskedAccuracy", "unmaskedAccuracy"].map((name) => `units.${name}`),
      );
    const page = readFileSync(await reportPretraining(run), "utf8");
    for (const text of ["Iteration 1: 8 clusters of MFCC", "Iteration 2: 9 clusters of layer 1", "Share guessed"])
      expect(page).toContain(text);
    expect(page.replace(/<script>.*?<\/script>/gs, "")).not.toMatch(/NaN|undefined|not complete/);
    expect(readdirSync(join(run, "iteration-2", "last")).sort()).toEqual([
      "README.md",
      "config.json",
      "model.safetensors",
      "preprocessor_config.json",
    ]);
  });

  test("learns: the validation loss falls within its few updates", () => {
    const losses = ofKind(events, "validation").filter(({ iteration }) => iteration === 1);
    expect(losses.at(-1)!.loss).toBeLessThan(losses[0].loss);
  });

  test(
    "is repeated bit for bit, and was done when it is resumed",
    async () => {
      const again = folderOf("again");
      const [done] = ofKind(await start(again), "done");
      expect(done.summary.weightsSha256).toBe(ofKind(events, "done")[0].summary.weightsSha256);
      const resumed = await start(again, [], { resume: true });
      expect(resumed).toMatchObject([
        { kind: "done", already: true, summary: JSON.parse(JSON.stringify(done.summary)) },
      ]);
    },
    patient,
  );

  test(
    "goes on with the weights of the iteration before, or afresh",
    async () => {
      const { parameters: before } = await loadModel(join(whole, "run", "iteration-1", "last"));
      const [first] = ofKind(events, "validation").filter(({ iteration, step }) => iteration === 2 && step === 0);
      const other = folderOf("afresh");
      const afresh = await start(other, [
        "iterations=" +
          JSON.stringify(
            tinyRecipe(other).iterations.map((iteration, i) =>
              i === 1 ? { ...iteration, from: "afresh" } : iteration,
            ),
          ),
      ]);
      const [fresh] = ofKind(afresh, "validation").filter(({ iteration, step }) => iteration === 2 && step === 0);
      expect(fresh.loss).not.toBe(first.loss);
      const { parameters: after } = await loadModel(join(whole, "run", "iteration-2", "last"));
      const name = "encoder.layers.0.feed_forward.intermediate_dense.weight";
      const distance = (a: Float32Array, b: Float32Array) =>
        Math.sqrt(a.reduce((sum, x, i) => sum + (x - b[i]) ** 2, 0));
      const { parameters: unlike } = await loadModel(join(other, "run", "iteration-2", "last"));
      const from = before.get(name)!.data;
      expect(distance(after.get(name)!.data, from)).toBeLessThan(distance(unlike.get(name)!.data, from));
    },
    patient,
  );

  test(
    "left early writes a checkpoint that it goes on from",
    async () => {
      const folder = folderOf("left");
      const recipe = tinyRecipe(folder);
      for await (const event of pretrainRun({ recipe })) if (event.kind === "step" && event.step === 3) break;
      const [done] = ofKind(await start(folder, [], { resume: true }), "done");
      expect(done.summary.weightsSha256).toBe(ofKind(events, "done")[0].summary.weightsSha256);
    },
    patient,
  );
});

describe("what is refused", () => {
  const refusal = (folder: string, set: readonly string[] = [], options: Omit<PretrainRunOptions, "recipe"> = {}) =>
    start(folder, set, options).then(
      () => "no error",
      (error: Error) => `${error.name}: ${error.message}`,
    );

  /** A run that was stopped after the units of its first iteration. */
  async function begun(name: string): Promise<string> {
    const folder = folderOf(name);
    for await (const event of pretrainRun({ recipe: tinyRecipe(folder) })) if (event.kind === "step") break;
    return folder;
  }

  test("a folder that holds a run, one that holds none to resume, and something else", async () => {
    expect(await refusal(whole)).toMatch(/StillwaveError: .*holds a run already/);
    expect(await refusal(folderOf("none"), [], { resume: true })).toMatch(/no run there to resume/);
    const folder = folderOf("foreign");
    writeFileSync(join(folder, "thesis.txt"), "x");
    expect(await refusal(folder, [`run.outDir=${JSON.stringify(folder)}`])).toMatch(/not a run folder/);
    expect(
      await refusal(folderOf("other"), [`run.outDir=${JSON.stringify(join(whole, "run", "iteration-1"))}`]),
    ).toMatch(/a run of another kind/);
  });

  test(
    "another recipe, unless it is forced; devices and threads may change",
    async () => {
      const folder = await begun("changed");
      expect(await refusal(folder, ["masking.probability=0.1"], { resume: true })).toMatch(
        /masking.probability: 0.08 -> 0.1/,
      );
      const all = await start(folder, ["masking.probability=0.1"], { resume: true, force: true });
      expect(all.at(-1)).toMatchObject({ kind: "done" });
      expect(
        ofKind(all, "note")
          .map(({ text }) => text)
          .join("\n"),
      ).toMatch(/resumed by force/);
    },
    patient,
  );

  test(
    "other data under the same name",
    async () => {
      const folder = await begun("data");
      const list = join(folder, "train.jsonl");
      const recipe = tinyRecipe(folder);
      writeFileSync(list, readFileSync(list, "utf8").split("\n").slice(1).join("\n"));
      await expect(allEvents(pretrainRun({ recipe, resume: true }))).rejects.toThrow(
        /differ from those this run began with/,
      );
    },
    patient,
  );

  test(
    "units that are cut off, or of another run",
    async () => {
      const folder = await begun("units");
      const units = join(folder, "run", "iteration-1", "units");
      const sound = readFileSync(join(units, "train.units"));
      writeFileSync(join(units, "train.units"), sound.subarray(0, sound.length - 2));
      expect(await refusal(folder, [], { resume: true })).toMatch(
        /train.units: holds \d+ units where .*; delete it and resume/,
      );
      // units of other data are not taken for these: they are made again
      copyFileSync(join(units, "validation.units"), join(units, "train.units"));
      const all = await start(folder, [], { resume: true });
      expect(all.at(-1)).toMatchObject({
        kind: "done",
        summary: { weightsSha256: ofKind(events, "done")[0].summary.weightsSha256 },
      });
    },
    patient,
  );

  test(
    "no speech, bad speech, missing phones, and fewer frames than clusters",
    async () => {
      const folder = folderOf("empty");
      expect(await refusal(folder, ['data.train={"path": "/nowhere"}'])).toMatch(/\/nowhere/);
      const wave = join(folder, "noise.wav");
      writeFileSync(wave, "no wave at all");
      expect(await refusal(folder, [`data.train=${JSON.stringify({ path: wave })}`])).toMatch(/StillwaveError/);
      expect(await refusal(folder, ["phones={path: nowhere.txt, kind: sequence}"])).toMatch(
        /nowhere.txt: no such phones file/,
      );
      const many = tinyRecipe(folder).iterations.map((iteration) => ({ ...iteration, clusters: 60_000 }));
      expect(await refusal(folder, [`iterations=${JSON.stringify(many)}`])).toMatch(
        /60000 clusters are asked for, and only/,
      );
      // that run had begun; those that could not left nothing in its way
      expect(await refusal(folder, [], { resume: true, force: true })).toBe("no error");
    },
    patient,
  );

  test(
    "a damaged summary",
    async () => {
      const folder = folderOf("summary");
      await start(folder);
      appendFileSync(join(folder, "run", "summary.json"), "}");
      expect(await refusal(folder, [], { resume: true })).toMatch(/summary.json: corrupt; delete it/);
    },
    patient,
  );
});

describe("the model folder", () => {
  test("is Hugging Face's HubertModel, with or without our own section", async () => {
    const folder = join(whole, "run", "iteration-2", "last");
    const fields = JSON.parse(readFileSync(join(folder, "config.json"), "utf8"));
    expect(fields).toMatchObject({ architectures: ["HubertModel"], model_type: "hubert", hidden_size: 24 });
    const { config } = await loadModel(folder);
    expect(config).toMatchObject({ family: "hubert", layers: 2, headLayers: [] });
    const plain = folderOf("plain");
    for (const name of readdirSync(folder)) copyFileSync(join(folder, name), join(plain, name));
    const { stillwave: _, ...rest } = fields;
    writeFileSync(join(plain, "config.json"), JSON.stringify(rest));
    expect((await loadModel(plain)).config).toEqual(config);
    const card = readFileSync(join(folder, "README.md"), "utf8");
    expect(card).toMatch(/9 clusters of layer 1/);
    expect(card).toMatch(/^---\nlicense: unknown\nlibrary_name: transformers\n/);
    expect(card).not.toMatch(/[:|] +["']?\//); // no path from the root, in recipe or tables
  });

  test(
    "with relative positions is a WavLMModel",
    async () => {
      const folder = folderOf("wavlm");
      await start(folder, [
        "model.relativePosition={buckets: 8, maxDistance: 20}",
        "model.normFirst=true",
        "model.convNorm=layer",
      ]);
      const last = join(folder, "run", "iteration-2", "last");
      expect(JSON.parse(readFileSync(join(last, "config.json"), "utf8"))).toMatchObject({
        architectures: ["WavLMModel"],
        num_buckets: 8,
      });
      expect((await loadModel(last)).config).toMatchObject({
        family: "wavlm",
        normFirst: true,
        normalizeWaveform: true,
      });
      await compareWithTransformers(last, "WavLMModel");
    },
    patient,
  );

  test(
    "gives the hidden states that transformers computes of it",
    async () => {
      await compareWithTransformers(join(whole, "run", "iteration-2", "last"), "HubertModel");
    },
    patient,
  );
});

const python = findTransformers();

const SCRIPT = `
import json, sys, torch, transformers
given = json.load(sys.stdin)
model = getattr(transformers, given["architecture"]).from_pretrained(given["folder"]).eval()
with torch.no_grad():
    out = model(torch.tensor([given["wave"]]), output_hidden_states=True)
# some versions hand out the last state of pre-LN models without the norm that follows it
states = [*out.hidden_states[:-1], out.last_hidden_state]
print(json.dumps([state.flatten().tolist() for state in states]))`;

/** Hidden states of half a second of noise by both. Only looks at ours where transformers is not there. */
async function compareWithTransformers(folder: string, architecture: string): Promise<void> {
  const random = new Random(1, "noise");
  const wave = Float32Array.from({ length: 8000 }, () => 0.1 * random.normal());
  const model = createModel(await loadModel(folder), await createRuntime({ threads: 1, spin: false }));
  const { hiddenStates } = await model.extract(wave, { normalize: false });
  await model.dispose();
  expect(hiddenStates.every(({ data }) => data.every(Number.isFinite))).toBe(true);
  if (!python) return;
  const theirs = runTorch(python, SCRIPT, { architecture, folder, wave: [...wave] }) as number[][];
  expect(theirs.map(({ length }) => length)).toEqual(hiddenStates.map(({ data }) => data.length));
  for (const [layer, values] of theirs.entries())
    for (const [i, value] of values.entries()) expect(Math.abs(value - hiddenStates[layer].data[i])).toBeLessThan(2e-4);
}

test("a run folder that is not there has no report", async () => {
  await expect(reportPretraining(join(root, "nowhere"))).rejects.toThrow(/not a run folder/);
  expect(existsSync(join(root, "nowhere"))).toBe(false);
});
