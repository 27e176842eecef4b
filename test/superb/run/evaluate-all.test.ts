// All tasks as a queue: each in its folder, stopped and resumed, what fails and what is missing said, one page about all.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type BenchmarkJob, type EvaluateAllEvent, evaluateAll } from "../../../src/library/evaluate-all.ts";
import { findCorpus, usualFolders } from "../../../src/superb/corpora/find.ts";
import { checkSettings } from "../../../src/superb/recipe/read.ts";
import { taskNamed } from "../../../src/superb/tasks/index.ts";
import { brokenIds, outside, textOf } from "../../report/page.ts";
import { tonesCorpus } from "../tones.ts";

const root = mkdtempSync(join(tmpdir(), "evaluate-all-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const dataRoot = join(root, "data");
mkdirSync(join(dataRoot, "ic"), { recursive: true });
for (const task of ["ks", "sid"]) symlinkSync(tonesCorpus(), join(dataRoot, task));
// a table that names no file that is there
writeFileSync(join(dataRoot, "ic", "labels.tsv"), "file\tsplit\taction\tobject\tlocation\nno.wav\ttrain\ta\tb\tc\n");

const TASKS = ["ks", "sid", "ic"] as const;

async function all(folder: string, more: { resume?: boolean; stopAt?: (event: EvaluateAllEvent) => boolean } = {}) {
  const jobs = TASKS.map((task): BenchmarkJob => {
    const corpus = findCorpus(task, dataRoot)!;
    const settings = checkSettings(taskNamed(task), {
      task,
      upstream: { model: "fbank" },
      data: { root: corpus.root, most: { train: 30 } },
      training: { learningRates: [1e-2], steps: 8, evaluateEvery: 4, batchSize: 6, patience: 0 },
      head: { projection: 8 },
      features: { cache: join(root, "cache") },
      run: { outDir: join(folder, task), threads: 1 },
    });
    return { task, corpus, settings };
  });
  const stop = new AbortController();
  const missing = [{ task: "qbe", lookedFor: usualFolders("qbe").join(", ") }];
  const submission = join(folder, "..", "submission");
  const events: EvaluateAllEvent[] = [];
  const options = { upstream: "fbank", folder, dataRoot, jobs, missing, submission, signal: stop.signal };
  for await (const event of evaluateAll({ ...options, resume: more.resume ?? false })) {
    events.push(event);
    if (more.stopAt?.(event)) stop.abort();
  }
  return events;
}

const states = (events: readonly EvaluateAllEvent[]) =>
  events.flatMap((event) => (event.kind === "task" ? [[event.task, event.state]] : []));

describe("all tasks", () => {
  const folder = join(root, "whole");
  let events: EvaluateAllEvent[];
  beforeAll(async () => {
    events = await all(folder);
  });

  test("one after another; what fails is named and the others go on", () => {
    expect(events[0]).toMatchObject({ kind: "found", missing: [{ task: "qbe", lookedFor: "qbe, quesst14Database, QUESST2014, digit-search" }] }); // biome-ignore format: one line
    expect(states(events)).toEqual([["ks", "begins"], ["sid", "begins"], ["ic", "begins"]]); // biome-ignore format: one line
    const failed = events.find(({ kind }) => kind === "failed");
    expect(failed).toMatchObject({ task: "ic", reason: expect.stringContaining("no.wav") });
    const last = events.at(-1);
    expect(last).toMatchObject({ kind: "done", failed: ["ic"] });
    if (last?.kind !== "done") return;
    expect(last.submission.map(({ path }) => path)).toEqual([
      join("predict", "ks_public", "predict.txt"),
      join("predict", "sid_public", "predict.txt"),
    ]);
    const lines = readFileSync(join(folder, "..", "submission", last.submission[0].path), "utf8")
      .trim()
      .split("\n");
    expect(lines).toHaveLength(12);
    for (const line of lines) expect(line).toMatch(/^1[4-7] (low|middle|high)$/);
    // scores of two tasks are never those of ten
    expect(last.scores?.superbS).toMatchObject({ isPartial: true, present: ["KS", "SID"] });
  });

  test("the page has scores, layers, published models and what is missing; it loads nothing", () => {
    const page = readFileSync(join(folder, "report.html"), "utf8");
    expect([outside(page), brokenIds(page)]).toEqual([[], []]);
    const text = textOf(page);
    for (const part of [
      ...["partial: 2 of 11", "partial: 2 of 10", "Keyword spotting", "Speaker identification"],
      ...["ks, sid: the corpus is not the benchmark's", "ic:", "qbe: no corpus (looked for qbe"],
      ...["HuBERT Base", "DPWavLM", "arXiv:2305.17651", "missing"],
    ])
      expect(text, part).toContain(part);
  });

  test("a part is drawn by ids, and said", () => {
    const { data } = JSON.parse(readFileSync(join(folder, "ks", "result.json"), "utf8"));
    expect(data.train).toMatchObject({ utterances: 30 });
    expect(data.train.source).toMatch(/, of \d+ drawn$/);
  });

  test("stopped in the second task, it goes on to the same numbers", async () => {
    const other = join(root, "stopped");
    const stopAt = (event: EvaluateAllEvent) =>
      event.kind === "event" && event.task === "sid" && event.event.kind === "step" && event.event.step === 5;
    const stopped = await all(other, { stopAt });
    expect(stopped.at(-1)).toMatchObject({ kind: "interrupted", remedy: expect.stringContaining("--resume goes on") });
    expect(existsSync(join(other, "report.html"))).toBe(false);
    const again = await all(other, { resume: true });
    expect(states(again)).toEqual([["ks", "was done"], ["sid", "goes on"], ["ic", "begins"]]); // biome-ignore format: one line
    for (const task of ["ks", "sid"]) {
      const value = (run: string) => JSON.parse(readFileSync(join(run, task, "result.json"), "utf8")).metric;
      expect(value(other)).toEqual(value(folder));
    }
  });

  test("a folder that is in use, or of something else, is refused", async () => {
    await expect(all(folder)).rejects.toThrow("holds an evaluation of all tasks already; go on with it by --resume");
    await expect(all(join(folder, "ks"), { resume: true })).rejects.toThrow("not the record of an evaluation of all");
  });
});
