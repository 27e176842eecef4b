// A whole evaluation of the shipped model on the example speech: what it leaves behind, recomputed from scratch.
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { loadAudio } from "../../../src/audio/index.ts";
import type { EvaluateEvent } from "../../../src/library/evaluate.ts";
import { readEvaluation } from "../../../src/report/results/read.ts";
import { createRuntime } from "../../../src/runtime/node/index.ts";
import type { FeatureSource } from "../../../src/superb/features/features.types.ts";
import { openFeatures } from "../../../src/superb/features/open.ts";
import { Head } from "../../../src/superb/heads/step.ts";
import { createObjective } from "../../../src/superb/objectives/index.ts";
import { readHead } from "../../../src/superb/run/head-folder.ts";
import type { EvaluationResult } from "../../../src/superb/run/result.ts";
import { pr } from "../../../src/superb/tasks/pr.ts";
import { openUpstream } from "../../../src/upstream/open.ts";
import { temporaryFolder } from "../../data/corpora.ts";
import { examplePhones, SPEAKERS, speechCorpus, transcriptsOf } from "../speech.ts";
import { answersOf, doneOf, evaluate, evaluationsIn, kindsOf, leftBehind, rateOf, tinyLibri } from "./evaluations.ts";

const root = temporaryFolder();
const cacheRoot = join(root, "cache");
const corpus = speechCorpus();
const { folder, optionsFor } = evaluationsIn(root, corpus);

describe("an evaluation", () => {
  const out = folder();
  const options = optionsFor(out, {
    upstream: tinyLibri,
    training: { steps: 12, evaluateEvery: 4, learningRates: [1e-5, 1e-2], sweepSteps: 8, accumulate: 1 },
    decoding: { beam: 4 },
  });
  let events: EvaluateEvent[];
  let result: EvaluationResult;
  beforeAll(async () => {
    events = await evaluate(options);
    ({ result } = doneOf(events));
  });

  test("an evaluation tells what happens, in order", () => {
    const order = ["cache-start", "cache-done", "start", "training", "chosen", "testing", "done"];
    const first = order.map((kind) => events.findIndex((event) => event.kind === kind));
    expect(first).toEqual([...first].sort((a, b) => a - b));
    expect(first[0]).toBeGreaterThanOrEqual(0);
    expect(events.find(({ kind }) => kind === "start")).toEqual({
      kind: "start",
      task: "pr",
      folder: out,
      upstream: tinyLibri,
      layers: 7,
      dim: 192,
      headParameters: result.headParameters,
      utterances: { train: 15, dev: 12, test: 8 },
      learningRates: [1e-5, 1e-2],
      steps: 12,
    });
    expect(events.filter(({ kind }) => kind === "step").length).toBe(8 + 8 + 4);
    expect(doneOf(events)).toMatchObject({ folder: out, already: false, report: join(out, "report.html") });
  });

  test("an evaluation leaves result.json with every field", async () => {
    const data = await pr.load({ onBadFile: "stop", ...options.data });
    expect(JSON.parse(readFileSync(join(out, "result.json"), "utf8"))).toEqual(result);
    expect((await readEvaluation(out)).result).toEqual(result);
    const symbols = data.objective.kind === "ctc" ? data.objective.symbols.length : 0;
    expect(result).toMatchObject({
      format: 1,
      task: "pr",
      upstream: {
        name: tinyLibri,
        kind: "model",
        layers: ["input", "layer 1", "layer 2", "layer 3", "layer 4", "layer 5", "layer 6"],
        dim: 192,
        samplesPerFrame: 320,
        // its README: extractor and encoder, and the mask embedding
        parameters: expect.toSatisfy((n) => n === 3_253_504 || n === 3_253_504 + 192),
      },
      data: { root: corpus, fingerprint: data.fingerprint, ...data.facts },
      protocol: "fixed",
      options: {
        steps: 12,
        sweepSteps: 8,
        batchSize: 5,
        accumulate: 1,
        clip: 1,
        evaluateEvery: 4,
        patience: null,
        schedule: "constant",
        warmup: 0,
        specAugment: false,
        seed: 0,
        projection: 12,
        normalizeStates: false,
        outputs: symbols,
        features: "float32",
      },
      metric: { name: "PER", isHigherBetter: false },
      unit: "phone",
      headParameters: 7 + 193 * 12 + 13 * symbols,
      predictions: { dev: "predictions/dev.jsonl", test: "predictions/test.jsonl" },
      environment: { node: process.versions.node, computing: expect.stringMatching(/^cpu, \d+\.\d+/) },
    });
    expect(new Date(result.created).getTime()).toBeGreaterThan(Date.now() - 3_600_000);
    expect(result.layerWeights.length).toBe(7);
    expect(result.layerWeights.reduce((a, b) => a + b)).toBeCloseTo(1, 6);
    expect(Object.values(result.seconds).every((seconds) => seconds > 0)).toBe(true);
  });

  test("an evaluation says how it trained", () => {
    const [slow, fast] = result.learningRates;
    expect(slow).toMatchObject({ learningRate: 1e-5, steps: 8, chosen: false, skippedSteps: 0 });
    expect(fast).toMatchObject({ learningRate: 1e-2, steps: 12, chosen: true, skippedSteps: 0 });
    expect([slow!, fast!].map(({ curve }) => curve.map(({ step }) => step))).toEqual([[4, 8], [4, 8, 12]]); // biome-ignore format: one line
    for (const { best, curve } of result.learningRates) {
      expect(best!.dev).toBe(Math.min(...curve.map(({ dev }) => dev)));
      expect(best!.step).toBe(curve.find(({ dev }) => dev === best!.dev)!.step);
    }
    // the curve is what the events told
    const told = events.flatMap((event) => (event.kind === "evaluation" && event.learningRate === 1e-2 ? [event.dev] : [])); // biome-ignore format: one line
    expect(told).toEqual(fast!.curve.map(({ dev }) => dev));
    expect(result.dev).toBe(fast!.best!.dev);
  });

  test("an evaluation leaves predictions that give the same metrics when scored anew", () => {
    expect(result.decodings.map(({ name, predictions }) => [name, predictions])).toEqual([
      ["greedy", "predictions/test.jsonl"],
      ["prefix beam 4", "predictions/test.decoding-1.jsonl"],
    ]);
    expect(result.metric).toEqual(result.decodings[0].metric);
    for (const { metric, predictions } of result.decodings) {
      const answers = answersOf(out, predictions);
      expect(answers.map(({ id }) => id)).toEqual(transcriptsOf(SPEAKERS.test).map(([id]) => id).sort()); // biome-ignore format: one line
      expect(rateOf(answers)).toBeCloseTo(metric.value, 9);
      expect(metric.low).toBeLessThanOrEqual(metric.value);
      expect(metric.high).toBeGreaterThanOrEqual(metric.value);
      for (const { id, reference, audio } of answers) {
        expect(reference).toBe(examplePhones.get(id)!.join(" "));
        expect(existsSync(audio)).toBe(true);
      }
    }
    const dev = answersOf(out, "predictions/dev.jsonl");
    expect(dev.length).toBe(12);
    expect(rateOf(dev)).toBeCloseTo(result.dev ?? Number.NaN, 9);
  });

  test("an evaluation leaves a head that gives these answers on the upstream's own states", async () => {
    const { settings, parameters } = await readHead(join(out, "head"));
    expect(settings.upstream).toEqual({
      spec: tinyLibri,
      options: {},
      fingerprint: result.upstream.fingerprint,
      samplesPerFrame: 320,
    });
    const upstream = await openUpstream(tinyLibri, { threads: 1 });
    const head = new Head({ ...settings, dtype: "float32", parameters, runtime: await createRuntime({ threads: 1 }) });
    const objective = createObjective(settings.objective);
    for (const { audio, hypothesis } of answersOf(out, "predictions/test.jsonl")) {
      const [{ frames, data }] = (await upstream.extract([await loadAudio(audio)])) as [{ frames: number; data: Float32Array }]; // biome-ignore format: one line
      const output = await head.infer({ data, shape: [7, 1, frames, 192], frames: [frames] });
      expect(objective.readings[0].answers(output)).toEqual([hypothesis]);
    }
    await head.release();
    await upstream.dispose();
  });

  test("an evaluation gives the same logits with and without a cache, and nearly so from halves", async () => {
    const { settings, parameters } = await readHead(join(out, "head"));
    const upstream = await openUpstream(tinyLibri, { threads: 1 });
    const runtime = await createRuntime({ threads: 1 });
    const { dev } = (await pr.load({ onBadFile: "stop", ...options.data })).utterances;
    const logitsOf = async (changes: { cacheRoot: string | null; dtype?: "float16" }) => {
      const source = await opened(upstream, dev, changes);
      const head = new Head({ ...settings, dtype: source.dtype, parameters, runtime });
      const { logits, frames } = await head.infer(await source.batch(dev.map(({ id }) => ({ id }))));
      await head.release();
      await source.close();
      return { logits: logits.slice(), frames };
    };
    const cached = await logitsOf({ cacheRoot });
    const streamed = await logitsOf({ cacheRoot: null });
    const halves = await logitsOf({ cacheRoot, dtype: "float16" });
    await upstream.dispose();
    expect(streamed.frames).toEqual(cached.frames);
    const spread = Math.max(...cached.logits) - Math.min(...cached.logits);
    expect(spread).toBeGreaterThan(5);
    expect(worst(streamed.logits, cached.logits)).toBeLessThan(1e-4);
    // eleven bits of every state
    const rounded = worst(halves.logits, cached.logits);
    expect(rounded).toBeGreaterThan(0);
    expect(rounded / spread).toBeLessThan(2 ** -9);
  });

  test("an evaluation is done when it is done", async () => {
    const before = leftBehind(out);
    const again = await evaluate({ ...options, resume: true });
    expect(doneOf(again)).toMatchObject({ already: true, result });
    expect(kindsOf(again)).toEqual(new Set(["note", "done"]));
    expect(leftBehind(out)).toEqual(before);
    await expect(evaluate(options)).rejects.toThrow(`${out}: holds an evaluation already; go on with it by --resume, or give another --out`); // biome-ignore format: one line
  });

  test("an evaluation is finished again where result.json was deleted", async () => {
    const before = leftBehind(out);
    rmSync(join(out, "result.json"));
    const again = await evaluate({ ...options, resume: true });
    expect(kindsOf(again).has("step")).toBe(false);
    const { created: _, seconds: __, ...rest } = result;
    expect(doneOf(again).result).toMatchObject(rest);
    expect(leftBehind(out)).toEqual(before);
  });
});

const worst = (a: Float32Array, b: Float32Array) =>
  a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0);

async function opened(
  upstream: Awaited<ReturnType<typeof openUpstream>>,
  utterances: Parameters<typeof openFeatures>[0]["utterances"],
  changes: { cacheRoot: string | null; dtype?: "float16" },
): Promise<FeatureSource> {
  const opening = openFeatures({ upstream, utterances, ...changes });
  for (;;) {
    const next = await opening.next();
    if (next.done) return next.value!.source;
  }
}
