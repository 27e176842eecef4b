// A whole fine-tuning in seconds: what its folder holds, what readers of evaluations make of it, and what it refuses.
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadAudio } from "../../src/audio/index.ts";
import { loadModel } from "../../src/checkpoint/index.ts";
import { StillwaveError, UsageError } from "../../src/errors.ts";
import type { FinetuneEvent } from "../../src/finetune/events.ts";
import { parseFinetuneRecipe } from "../../src/finetune/recipe/read.ts";
import { finetuneRun } from "../../src/finetune/run/run.ts";
import { readMetrics } from "../../src/log/index.ts";
import { readPredictions } from "../../src/metrics/predictions.ts";
import { reportEvaluation } from "../../src/report/evaluation/page.ts";
import { runKindOf } from "../../src/report/results/kind.ts";
import { createRuntime } from "../../src/runtime/node/index.ts";
import { Head } from "../../src/superb/heads/step.ts";
import { createObjective } from "../../src/superb/objectives/index.ts";
import { readHead } from "../../src/superb/run/head-folder.ts";
import { readResult } from "../../src/superb/run/result.ts";
import { openUpstream } from "../../src/upstream/open.ts";
import { wav16 } from "../audio/signals.ts";
import { tonesCorpus } from "../superb/tones.ts";
import { allEvents, tinyRecipe } from "./tiny-run.ts";

let root: string;
let folder: string;
let events: FinetuneEvent[];
const json = (path: string) => JSON.parse(readFileSync(join(folder, path), "utf8"));

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "stillwave-finetune-"));
  folder = join(root, "phones", "run");
  const set = ["optimizer.learningRates.frontEnd=null", "decoding={beam: 3}"];
  events = await allEvents(finetuneRun({ recipe: await tinyRecipe(join(root, "phones"), set) }));
}, 120_000);
afterAll(() => rmSync(root, { recursive: true, force: true }));

const reason = async (run: AsyncIterable<FinetuneEvent>): Promise<string> => {
  try {
    await allEvents(run);
  } catch (error) {
    expect(error).toBeInstanceOf(StillwaveError);
    return (error as Error).message;
  }
  return "no error";
};

describe("a run", () => {
  test("tells its steps, evaluations, checkpoints, the test and its end", async () => {
    const of = (kind: string) => events.filter((event) => event.kind === kind);
    expect(of("step").length).toBe(6);
    expect(of("evaluation").map((event) => "step" in event && event.step)).toEqual([3, 6]);
    expect(of("testing").length).toBeGreaterThan(0);
    expect(events.at(-1)).toMatchObject({ kind: "done", already: false });
    expect(json("summary.json")).toMatchObject({
      step: 6,
      test: { name: "PER" },
      models: { best: "best" },
    });
    expect(await runKindOf(folder)).toBe("fine-tuning");
  });

  test("logs every update and evaluation, its metric among the terms", async () => {
    const rows = await readMetrics(join(folder, "metrics.jsonl"));
    expect(rows.filter(({ kind }) => kind === "train").map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6]);
    const last = rows.at(-1)!;
    expect(last.kind).toBe("validation");
    const dev = json("result.json").learningRates[0].curve.at(-1).dev;
    expect(Object.values(last.terms!)).toEqual([[dev]]);
    // the head alone first, and the schedule's rise over the first tenth
    const rates = rows.flatMap((row) => (row.kind === "train" ? [row.learningRate] : []));
    expect(rates.map((rate) => rate / 5e-3)).toEqual(
      [1, 2, 3, 4, 5, 6].map((step) => expect.closeTo((6 - step) / 6 / 0.9, 6)),
    );
  });

  test("leaves a frozen front end as it was, to the bit, and moves the rest", async () => {
    const before = await loadModel(join(root, "phones", "upstream"));
    const after = await loadModel(join(folder, "last", "upstream"));
    let moved = 0;
    for (const [name, { data }] of before.parameters) {
      const now = after.parameters.get(name)!.data;
      // nothing reads the student's own heads
      if (name.startsWith("feature_extractor.") || name.startsWith("heads.")) expect(now, name).toEqual(data);
      else if (data.some((value, i) => value !== now[i])) moved++;
    }
    expect(moved).toBeGreaterThan(20);
  });

  test("has a result as evaluations have, from which a report is made", async () => {
    const result = await readResult(folder);
    expect(result).toMatchObject({
      task: "pr",
      unit: "phone",
      options: { fineTuned: true, target: "phones", frontEndRate: null, upstreamRate: 2e-3 },
      upstream: { layers: ["layer 2"], dim: 8 },
      layerWeights: [1],
      data: { test: { utterances: 3 } },
    });
    expect(result.decodings.map(({ name }) => name)).toEqual(["greedy", "prefix beam 3"]);
    const rows = await readPredictions(join(folder, result.predictions.test));
    expect(rows.length).toBe(3);
    const { path } = await reportEvaluation(folder);
    expect(readFileSync(path, "utf8")).toContain("trained with it");
    expect(existsSync(join(folder, "tensorboard"))).toBe(true);
  });

  test("leaves an upstream and a head that say what was tested", async () => {
    const { settings, parameters } = await readHead(join(folder, "best", "head"));
    expect(settings).toMatchObject({ task: "pr", upstream: { spec: "../upstream", options: { states: "last" } } });
    const upstream = await openUpstream(join(folder, "best", "upstream"), { states: "last" });
    expect(upstream.fingerprint).toBe(settings.upstream.fingerprint);
    const runtime = await createRuntime({ threads: 1 });
    const { config, input, objective } = settings;
    const head = new Head({ config, input, dtype: "float32", parameters, runtime });
    const [row] = await readPredictions(join(folder, "predictions", "test.jsonl"));
    const [{ data, frames }] = await upstream.extract([await loadAudio(row.audio!)]);
    const output = await head.infer({ data, shape: [1, 1, frames, upstream.dim], frames: [frames] });
    expect(createObjective(objective).readings[0].answers(output)).toEqual([row.hypothesis]);
    await upstream.dispose();
    await head.release();
    const card = readFileSync(join(folder, "best", "upstream", "README.md"), "utf8");
    expect(card).not.toContain(root);
  });

  test("that has ended is not done again; another recipe is another run", async () => {
    const set = ["optimizer.learningRates.frontEnd=null", "decoding={beam: 3}"];
    const again = await allEvents(finetuneRun({ recipe: await tinyRecipe(join(root, "phones"), set), resume: true }));
    expect(again.at(-1)).toMatchObject({ kind: "done", already: true });
    expect(await reason(finetuneRun({ recipe: await tinyRecipe(join(root, "phones"), set) }))).toContain(
      "holds a run already",
    );
    const other = await tinyRecipe(join(root, "phones"), [...set, "run.seed=1"]);
    expect(await reason(finetuneRun({ recipe: other, resume: true }))).toContain("run.seed: 0 -> 1");
  });

  test("that is left early goes on with the same bits", async () => {
    const set = ["optimizer.learningRates.frontEnd=null", "decoding={beam: 3}"];
    const recipe = await tinyRecipe(join(root, "left"), set);
    for await (const event of finetuneRun({ recipe })) if (event.kind === "step" && event.step === 4) break;
    const end = (await allEvents(finetuneRun({ recipe, resume: true }))).at(-1);
    expect(end).toMatchObject({ kind: "done", summary: { weightsSha256: json("summary.json").weightsSha256 } });
  });
});

test("a head is begun with that of a run, and one that reads or answers something else is refused", async () => {
  const set = ["run.steps=1", "optimizer.frozenSteps=0", `head.from=${JSON.stringify(folder)}`];
  const still = [
    "optimizer.learningRates.upstream=null",
    "optimizer.learningRates.frontEnd=null",
    "optimizer.warmupFraction=0",
  ];
  const recipe = await tinyRecipe(join(root, "begun"), [...set, ...still, "optimizer.learningRates.head=1.0e-9"]);
  await allEvents(finetuneRun({ recipe }));
  const [before, after] = [folder, recipe.run.outDir].map((run) => readHead(join(run, "best", "head")));
  for (const [name, { data }] of (await before).parameters)
    for (const [i, value] of (await after).parameters.get(name)!.data.entries()) expect(value).toBeCloseTo(data[i], 6);
  const other = await tinyRecipe(join(root, "other"), [...set, "upstream.states=all"]);
  expect(await reason(finetuneRun({ recipe: other }))).toMatch(
    /another than the recipe's: its input.layers is 1, and 3 is wanted/,
  );
});

describe("classes", () => {
  const recipeOf = (data: string, ...set: string[]) =>
    parseFinetuneRecipe(
      `upstream: {model: ${join(root, "phones", "upstream")}, states: all}
target: classes
data: {root: ${data}, batchSize: 16}
optimizer: {learningRates: {frontEnd: 3.0e-3, upstream: 3.0e-3, head: 2.0e-2}}
specAugment: null
run: {steps: 40, evaluateEverySteps: 10, patience: 4, threads: 1, outDir: ${JSON.stringify(join(root, `classes-${Math.random()}`))}}
`,
      "classes.yaml",
      set,
    );

  test("of tones are learnt from a weighted sum, whose weights move", async () => {
    const corpus = tonesCorpus();
    const end = (await allEvents(finetuneRun({ recipe: recipeOf(corpus) }))).at(-1);
    rmSync(corpus, { recursive: true });
    expect(end).toMatchObject({ kind: "done", result: { task: "ks", unit: null } });
    if (end?.kind !== "done") return;
    // chance is 33
    expect(end.result.metric.value).toBeGreaterThan(80);
    const { layerWeights, upstream } = end.result;
    expect(upstream.layers).toEqual(["input", "layer 1", "layer 2"]);
    expect(layerWeights.reduce((a, b) => a + b)).toBeCloseTo(1, 5);
    expect(new Set(layerWeights).size).toBe(3);
  });

  test("that training never has, files that are no audio or too short, and samples that are not numbers are refused by name", async () => {
    const corpus = tonesCorpus();
    const table = (rows: string[]) =>
      writeFileSync(join(corpus, "labels.tsv"), `file\tlabel\tsplit\n${rows.join("\n")}\n`);
    const good = ["train/low/0.wav\tlow\ttrain", "train/low/1.wav\tlow\tdev", "train/high/0.wav\thigh\ttrain"];
    const test = "test/low/14.wav\tlow\ttest";
    table([...good, test, "test/high/14.wav\tother\ttest"]);
    expect(await reason(finetuneRun({ recipe: recipeOf(corpus) }))).toContain(
      "labels that occur in dev or test only: other",
    );
    writeFileSync(join(corpus, "bad.wav"), "no audio");
    table([...good, test, "bad.wav\tlow\ttrain"]);
    expect(await reason(finetuneRun({ recipe: recipeOf(corpus) }))).toContain("bad.wav");
    const skipping = await allEvents(finetuneRun({ recipe: recipeOf(corpus, "data.onBadFile=skip", "run.steps=1") }));
    expect(skipping.some((event) => event.kind === "note" && event.text.includes("bad.wav"))).toBe(true);
    writeFileSync(join(corpus, "short.wav"), wav16(new Float32Array(100).fill(0.1), 16_000));
    table([...good, test, "short.wav\tlow\ttrain"]);
    expect(await reason(finetuneRun({ recipe: recipeOf(corpus) }))).toContain("short.wav");
    writeFileSync(join(corpus, "nan.wav"), floatWav(new Float32Array(16_000).fill(Number.NaN)));
    table([...good, test, "nan.wav\tlow\ttrain"]);
    expect(await reason(finetuneRun({ recipe: recipeOf(corpus) }))).toContain("nan.wav");
    table([...good]);
    expect(await reason(finetuneRun({ recipe: recipeOf(corpus) }))).toContain("no files of the split test");
    rmSync(corpus, { recursive: true });
  });
});

describe("CTC", () => {
  const list = (name: string, change: (text: string, i: number) => string) => {
    const path = join(root, "phones", name);
    const rows = readFileSync(join(root, "phones", "speech.jsonl"), "utf8")
      .trim()
      .split("\n");
    writeFileSync(
      path,
      rows.map((row, i) => JSON.stringify({ ...JSON.parse(row), text: change("ONE TWO", i) })).join("\n"),
    );
    return path;
  };
  const recipeOf = (target: string, data: string, ...set: string[]) =>
    parseFinetuneRecipe(
      `upstream: {model: ${join(root, "phones", "upstream")}}
target: ${target}
data: {root: ${data}, batchSize: 3}
run: {steps: 1, threads: 1, outDir: ${JSON.stringify(join(root, `ctc-${Math.random()}`))}}
`,
      "ctc.yaml",
      set,
    );

  test("of words has those of training as symbols, others are <unk>", async () => {
    const recipe = recipeOf(
      "words",
      list("words.jsonl", (text, i) => (i > 8 ? "ONE THREE" : text)),
    );
    const events = await allEvents(finetuneRun({ recipe }));
    expect(events.some((event) => event.kind === "note" && event.text.includes("2 words of dev and test"))).toBe(true);
    const { settings } = await readHead(join(recipe.run.outDir, "best", "head"));
    expect(settings.objective).toMatchObject({ text: "words", symbols: ["<blank>", "<unk>", "ONE", "TWO"] });
    expect((await readResult(recipe.run.outDir)).unit).toBe("word");
  });

  test("of letters with a recurrent head: trained, tested", async () => {
    const recipe = recipeOf(
      "letters",
      list("letters.jsonl", (text) => text),
      "head={kind: lstm, hidden: 4, projection: 6}",
    );
    expect((await allEvents(finetuneRun({ recipe }))).at(-1)).toMatchObject({ kind: "done", result: { task: "asr" } });
  });

  test("refuses transcripts that are empty or have characters without a symbol", async () => {
    const empty = recipeOf(
      "letters",
      list("empty.jsonl", (text, i) => (i === 1 ? " " : text)),
    );
    expect(await reason(finetuneRun({ recipe: empty }))).toMatch(/no transcript of 1 utterances \(1/);
    const strange = recipeOf(
      "letters",
      list("strange.jsonl", (text, i) => (i === 2 ? "ÉTÉ 3" : text)),
    );
    expect(await reason(finetuneRun({ recipe: strange }))).toMatch(/characters that are not in the vocabulary.*É/);
    expect(
      await reason(
        finetuneRun({
          recipe: recipeOf(
            "words",
            list("e2.jsonl", (t, i) => (i ? t : "")),
          ),
        }),
      ),
    ).toContain("no transcript");
  });

  test("refuses an upstream whose utterances answer for each other, and one that is none", async () => {
    const path = list("any.jsonl", (text) => text);
    const mixing = recipeOf("words", path, "upstream.reuse=official");
    await expect(allEvents(finetuneRun({ recipe: mixing }))).rejects.toThrow(UsageError);
    expect(await reason(finetuneRun({ recipe: recipeOf("words", path, `upstream.model=${root}/none`) }))).toContain(
      "none",
    );
    const broken = join(root, "broken");
    cpSync(join(root, "phones", "upstream"), broken, { recursive: true });
    writeFileSync(join(broken, "model.safetensors"), "x");
    expect(await reason(finetuneRun({ recipe: recipeOf("words", path, `upstream.model=${broken}`) }))).toContain(
      "broken",
    );
  });
});

/** 32-bit floats in a WAV file at 16 kHz. */
function floatWav(samples: Float32Array): Uint8Array {
  const header = Buffer.alloc(44);
  header.write("RIFF", 0);
  header.writeUInt32LE(36 + samples.byteLength, 4);
  header.write("WAVEfmt ", 8);
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(3, 20);
  header.writeUInt16LE(1, 22);
  header.writeUInt32LE(16_000, 24);
  header.writeUInt32LE(64_000, 28);
  header.writeUInt16LE(4, 32);
  header.writeUInt16LE(32, 34);
  header.write("data", 36);
  header.writeUInt32LE(samples.byteLength, 40);
  return Buffer.concat([header, Buffer.from(samples.buffer)]);
}
