// One state kept instead of all: its weights are those of the part, the saved head reads the model itself, and nothing is lost on the way.
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { loadAudio } from "../../../src/audio/index.ts";
import { evaluate as evaluateIt } from "../../../src/library/evaluate.ts";
import { loadRecognizer } from "../../../src/recognizer/node/load.ts";
import { drawn } from "../../../src/superb/labels/subset.ts";
import type { EvaluationResult } from "../../../src/superb/run/result.ts";
import { partOf } from "../../../src/superb/tasks/subset.ts";
import type { TaskData } from "../../../src/superb/tasks/task.types.ts";
import { temporaryFolder } from "../../data/corpora.ts";
import { speechCorpus } from "../speech.ts";
import { answersOf, doneOf, evaluate, evaluationsIn, notesOf, tinyLibri } from "./evaluations.ts";

const root = temporaryFolder();
const { folder, optionsFor } = evaluationsIn(root, speechCorpus());
const changes = (cache: string, more = {}) => ({
  upstream: tinyLibri,
  training: { steps: 12, evaluateEvery: 4, learningRates: [1e-2], accumulate: 1, ...more },
  head: { normalizeStates: true },
  features: { cache: join(root, cache), oneState: 6 },
});
const bytesOf = (cache: string, from: string) =>
  readdirSync(join(root, cache, from)).reduce((sum, name) => sum + statSync(join(root, cache, from, name)).size, 0);

test("one state is kept of what is evaluated, its weights those of the part, and the head reads the model", async () => {
  const out = folder();
  const events = await evaluate(optionsFor(out, changes("one")));
  const { result } = doneOf(events);
  const part = JSON.parse(readFileSync(join(out, "part", "result.json"), "utf8")) as EvaluationResult;
  expect(part.data).toMatchObject({ train: { utterances: 6 }, dev: { utterances: 2 }, test: { utterances: 2 } });
  expect(result.data).toMatchObject({ train: { utterances: 15 }, dev: { utterances: 12 }, test: { utterances: 8 } });
  for (const [i, weight] of result.layerWeights.entries()) expect(weight).toBeCloseTo(part.layerWeights[i], 6);
  expect(result.upstream).toEqual(part.upstream);
  expect(result.headParameters).toBe(part.headParameters);
  expect(result.options).toMatchObject({ oneState: 6, normalizeStates: true });
  expect(notesOf(events).some((text) => text.startsWith("what is kept is "))).toBe(true);
  // 35 utterances of one state take less than ten of seven
  const sizes = readdirSync(join(root, "one")).map((name) => bytesOf("one", name));
  expect(sizes.length).toBe(2);
  expect(Math.min(...sizes) / Math.max(...sizes)).toBeLessThan(35 / 70 + 0.1);
  const recognizer = await loadRecognizer(out, { threads: 1 });
  const [answer] = answersOf(out, "predictions/test.jsonl");
  const { parts } = await recognizer.transcribe(await loadAudio(answer.audio));
  expect(parts.map(({ text }) => text).join(" ")).toBe(answer.hypothesis);
  await recognizer.dispose();
});

test("an evaluation of one state that was stopped anywhere goes on to the same head", async () => {
  const whole = folder();
  await evaluate(optionsFor(whole, changes("two")));
  const stopped = folder();
  for (const last of ["evaluation", "cache-start", "step"]) {
    const events = evaluateIt({ ...optionsFor(stopped, changes("three")), resume: existsSync(join(stopped, "run.json")) }); // biome-ignore format: one line
    for await (const event of events) if (event.kind === last) break;
  }
  const { result } = doneOf(await evaluate({ ...optionsFor(stopped, changes("three")), resume: true }));
  expect(result.metric).toEqual(JSON.parse(readFileSync(join(whole, "result.json"), "utf8")).metric);
  const head = (run: string) => readFileSync(join(run, "head", "model.safetensors"));
  expect(head(stopped).equals(head(whole))).toBe(true);
});

test("what cannot be added up, or kept, is refused by name", async () => {
  const refused = (options: Parameters<typeof evaluate>[0]) =>
    evaluate(options).then(() => "", (error: Error) => error.message); // biome-ignore format: one line
  expect(await refused(optionsFor(folder(), { ...changes("four"), upstream: "fbank" }))).toMatch(/fbank has one hidden state/); // biome-ignore format: one line
  const streamed = { ...changes("four"), features: { cache: null, oneState: 6 } };
  expect(await refused(optionsFor(folder(), streamed))).toMatch(/features\.oneState: one state is kept in a cache/);
  const search = { task: "qbe", upstream: { model: "fbank" }, data: { root }, features: { oneState: 6 } };
  expect(await refused(search)).toMatch(/features\.oneState: qbe trains nothing/);
});

test("a part of trials has at most so many recordings, and all trials of these", () => {
  const ids = Array.from({ length: 40 }, (_, i) => `r${i}`);
  const utterance = (id: string) => ({ id, path: id, samples: 16_000, label: [], reference: id });
  const trials = ids.flatMap((first, i) => ids.slice(i + 1).map((second) => ({ first, second, isTarget: (i & 1) === 0 }))); // biome-ignore format: one line
  const facts = { utterances: 40, seconds: 40, source: "made" };
  const data = {
    ...{ root: "made", objective: { kind: "voices", speakers: ["a", "b"] }, fingerprint: "", badFiles: [], notes: [] },
    utterances: { train: ids.map((id) => utterance(`t${id}`)), dev: ids.map(utterance), test: [] },
    facts: { train: facts, dev: facts, test: facts },
    trials: { dev: trials, test: [] },
  } as unknown as TaskData;
  const { utterances, trials: left } = partOf(data, { train: 9, dev: 12 });
  expect(utterances.train).toEqual(drawn(data.utterances.train, 9));
  const named = new Set(left?.dev?.flatMap(({ first, second }) => [first, second]));
  expect(named.size).toBe(12);
  expect(left?.dev?.length).toBe((12 * 11) / 2);
  expect(utterances.dev.map(({ id }) => id)).toEqual(ids.filter((id) => named.has(id)));
});
