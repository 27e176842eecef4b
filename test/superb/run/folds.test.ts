// An evaluation in folds: one cache, a head a fold, the mean with its interval, resumed to the same bits.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { EvaluateEvent } from "../../../src/library/evaluate.ts";
import { loadRecognizer } from "../../../src/recognizer/node/load.ts";
import { compareRuns } from "../../../src/report/results/compare.ts";
import { readEvaluation } from "../../../src/report/results/read.ts";
import { rescore } from "../../../src/report/results/rescore.ts";
import { sine, wav16 } from "../../audio/signals.ts";
import { corpusOf, temporaryFolder } from "../../data/corpora.ts";
import { answersOf, doneOf, evaluate, evaluationsIn, resultOf } from "./evaluations.ts";

/** Four speakers, two moods: a pitch each, nearer to each other for the last speaker. */
function moods(): string {
  const files: Record<string, Uint8Array | string> = {};
  const lines = ["path\tspeaker\temotion"];
  for (let speaker = 1; speaker <= 4; speaker++)
    for (let i = 0; i < 10; i++) {
      const name = `${speaker}/${i}.wav`;
      const hz = i % 2 === 0 ? 400 + 10 * i : speaker === 4 ? 430 + 10 * i : 2000 + 30 * i;
      files[name] = wav16(sine(hz + 7 * speaker, 16_000, 6000 + 200 * i));
      lines.push(`${name}\t${speaker}\t${i % 2 === 0 ? "calm" : "cross"}`);
    }
  return corpusOf({ ...files, "labels.tsv": lines.join("\n") });
}

const root = temporaryFolder();
const { folder, optionsFor } = evaluationsIn(root, moods());
const training = { steps: 8, evaluateEvery: 4, learningRates: [3e-2, 1e-2], batchSize: 4, accumulate: 1 };
const options = (out: string, fold?: string) => optionsFor(out, { task: "er", training, data: { fold } });
const filesOf = (out: string) =>
  ["fold-1/head/model.safetensors", "fold-2/head/model.safetensors", "predictions/dev.jsonl", "predictions/test.jsonl"].map((file) => readFileSync(join(out, file), "base64")); // biome-ignore format: one line

test("folds share a cache; the result is their mean, and every figure follows from the predictions", async () => {
  const out = folder();
  const events = await evaluate(options(out));
  const starts = events.filter((event): event is Extract<EvaluateEvent, { kind: "start" }> => event.kind === "start");
  expect(starts.map(({ fold }) => fold)).toEqual([
    { name: "1", of: 2 },
    { name: "2", of: 2 },
  ]);
  expect(events.filter(({ kind }) => kind === "cache-start").length).toBe(1);
  const { result } = doneOf(events);
  const answers = answersOf(out, "predictions/test.jsonl") as (ReturnType<typeof answersOf>[number] & { fold: string })[]; // biome-ignore format: one line
  const rates = ["1", "2"].map((fold) => {
    const own = answers.filter((one) => one.fold === fold);
    expect(own.length).toBe(20);
    return (100 * own.filter(({ reference, hypothesis }) => reference === hypothesis).length) / own.length;
  });
  expect(result.folds.map(({ name, value }) => [name, value])).toEqual([
    ["1", rates[0]],
    ["2", rates[1]],
  ]);
  expect(result.metric.value).toBeCloseTo((rates[0] + rates[1]) / 2, 12);
  expect(result.metric.low).toBeLessThanOrEqual(result.metric.value);
  expect(result.metric.high).toBeGreaterThanOrEqual(result.metric.value);
  expect(result.learningRates.map(({ fold, learningRate }) => [fold, learningRate])).toEqual([["1", 3e-2], ["1", 1e-2], ["2", 3e-2], ["2", 1e-2]]); // biome-ignore format: one line
  expect(result.choices.map(({ what, on }) => [what, on])).toEqual([
    ["learning rate of fold 1", "dev"],
    ["checkpoint of fold 1", "dev"],
    ["learning rate of fold 2", "dev"],
    ["checkpoint of fold 2", "dev"],
  ]);
  expect(result.data.test).toMatchObject({ utterances: 40 });
  const page = readFileSync(join(out, "report.html"), "utf8");
  expect(page).toContain("The result is the mean of 2 folds");
  expect(page).toContain("Nothing was chosen on test data.");
  expect((await rescore(await readEvaluation(out))).test.value).toBe(result.metric.value);
  await expect(loadRecognizer(out)).rejects.toThrow(`has a head for each fold; give one of them, such as ${join(out, "fold-1")}`); // biome-ignore format: one line
  const recognizer = await loadRecognizer(join(out, "fold-2"));
  const { label } = await recognizer.classify(new Float32Array(8000).map((_, i) => Math.sin(i / 5)));
  expect(label).toMatch(/^calm|cross$/);
  await recognizer.dispose();
});

test("one that is interrupted in its second fold goes on to the same bits", async () => {
  const whole = folder();
  await evaluate(options(whole));
  const out = folder();
  const controller = new AbortController();
  const first = await evaluate({ ...options(out), signal: controller.signal }, (event) => {
    if (event.kind === "start" && event.fold?.name === "2") controller.abort();
  });
  expect(first.at(-1)?.kind).toBe("interrupted");
  expect(existsSync(join(out, "result.json"))).toBe(false);
  await evaluate({ ...options(out), resume: true });
  expect(filesOf(out)).toEqual(filesOf(whole));
  expect(resultOf(out)).toEqual(resultOf(whole));
  const comparison = await compareRuns([whole, out], { draws: 200 });
  expect(comparison.tasks[0].testSets[0].pairs[0]).toMatchObject({ difference: { estimate: 0 }, p: 1, decidedBy: "bootstrap", differs: false }); // biome-ignore format: one line
});

test("one fold alone is a result of one fold", async () => {
  const out = folder();
  const { result } = doneOf(await evaluate(options(out, "2")));
  expect(result.folds.map(({ name }) => name)).toEqual(["2"]);
  expect(result.metric.value).toBe(result.folds[0].value);
  expect(readFileSync(join(out, "report.html"), "utf8")).toContain("One fold alone");
});
