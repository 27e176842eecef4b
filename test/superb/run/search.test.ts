// An evaluation without a head, from a corpus of tones to result and report: chosen on dev, tested once, killed and resumed.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { maximumTermWeightedValue, QUESST_WEIGHTS } from "../../../src/metrics/mtwv.ts";
import { readEvaluation } from "../../../src/report/results/read.ts";
import { rescore } from "../../../src/report/results/rescore.ts";
import { scoreEvaluations } from "../../../src/report/results/score.ts";
import { submitRuns } from "../../../src/report/results/submit.ts";
import { sine, wav16 } from "../../audio/signals.ts";
import { corpusOf } from "../../data/corpora.ts";
import { brokenIds, outside, textOf } from "../../report/page.ts";
import { doneOf, evaluate, kindsOf, notesOf } from "./evaluations.ts";

const root = mkdtempSync(join(tmpdir(), "search-run-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Three words, each a rise or fall of its own; documents are two of them one after the other. */
const WORDS = { low: [300, 500], high: [1500, 1200], swing: [700, 2200] } as const;
const word = (name: keyof typeof WORDS, shift: number): Float32Array => {
  const [from, to] = WORDS[name];
  const parts = [0, 0.25, 0.5, 0.75].map((t) => sine((from + (to - from) * t) * shift, 16_000, 1600, 0.3));
  return Float32Array.from(parts.flatMap((part) => [...part]));
};

function tonesCorpus(): string {
  const files: Record<string, Uint8Array> = {};
  const truth = ["query\tdocument"];
  const names = Object.keys(WORDS) as (keyof typeof WORDS)[];
  for (const [i, split] of ["dev", "test"].entries())
    for (const name of names) files[`queries/${split}/${name}.wav`] = wav16(word(name, 1 + 0.01 * i));
  for (const [i, first] of names.entries())
    for (const [j, second] of names.entries()) {
      const document = `${first}-${second}`;
      const shift = 1.02 + 0.005 * (3 * i + j);
      files[`documents/${document}.wav`] = wav16(Float32Array.from([...word(first, shift), ...word(second, shift)]));
      for (const split of ["dev", "test"])
        for (const name of new Set([first, second])) truth.push(`${split}/${name}\t${document}`);
    }
  const corpus = corpusOf(files);
  writeFileSync(join(corpus, "truth.tsv"), truth.join("\n"));
  return corpus;
}

const corpus = tonesCorpus();
const options = (outDir: string, more: { data?: object; cache?: string } = {}) => ({
  task: "qbe",
  upstream: { model: "fbank" },
  data: { root: corpus, ...more.data },
  features: { cache: more.cache ?? join(root, "cache") },
  run: { outDir, threads: 1 },
});

describe("a search", () => {
  const folder = join(root, "run");
  let events: Awaited<ReturnType<typeof evaluate>>;
  beforeAll(async () => {
    events = await evaluate(options(folder));
  });

  test("says what it found, what it searches, which layer it chose", () => {
    expect(notesOf(events)[0]).toBe(`${corpus}: queries, documents and truth.tsv; found truth.tsv, queries, documents`);
    for (const kind of ["search", "searching", "layer", "done"]) expect(kindsOf(events)).toContain(kind);
  });

  test("its result is the value of its predictions, found by brute force", async () => {
    const { result } = doneOf(events);
    const rows = readFileSync(join(folder, result.predictions.test), "utf8").trim().split("\n").map((line) => JSON.parse(line)); // biome-ignore format: one line
    expect(rows).toHaveLength(3 * 9);
    const trials = rows.map(({ id, reference, hypothesis }) => {
      expect(hypothesis).toMatch(/^-?\d+\.\d{4}$/);
      return { query: id.split("\t")[0], score: Number(hypothesis), isTarget: reference === "yes" };
    });
    const values = [...new Set(trials.map(({ score }) => score))].map((threshold) => {
      const shares = ["test/low", "test/high", "test/swing"].map((query) => {
        const share = (isTarget: boolean) => {
          const own = trials.filter((trial) => trial.query === query && trial.isTarget === isTarget);
          return own.filter(({ score }) => score >= threshold).length / own.length;
        };
        return share(true) - 12.49 * share(false);
      });
      return (100 * shares.reduce((sum, value) => sum + value)) / 3;
    });
    expect(result.metric.value).toBeCloseTo(Math.max(...values), 9);
    expect(result.metric.value).toBeCloseTo(100 * maximumTermWeightedValue(trials, QUESST_WEIGHTS).mtwv, 9);
    expect(result).toMatchObject({
      task: "qbe",
      unit: "search",
      headParameters: 0,
      layerWeights: [1],
      choices: [{ what: "layer", among: 1, on: "dev" }],
      search: { documents: 9, queries: { dev: 3, test: 3 }, shortQueries: 0, leftOut: 0, whole: null },
    });
    const evaluation = await readEvaluation(folder);
    await rescore(evaluation);
    // scores are made of the fraction
    const [{ results }] = scoreEvaluations([evaluation]).upstreams;
    expect(results.mtwv).toBeCloseTo(result.metric.value / 100, 12);
  });

  test("its report shows layers, curve and queries, and loads nothing", () => {
    const page = readFileSync(join(folder, "report.html"), "utf8");
    expect([outside(page), brokenIds(page)]).toEqual([[], []]);
    const text = textOf(page);
    for (const part of ["MTWV on dev", "Detection error tradeoff", "Best and worst queries", "nothing is trained"]) expect(text).toContain(part); // biome-ignore format: one line
  });

  test("its submission is the list that NIST's tools read", async () => {
    const out = join(root, "submission");
    expect(await submitRuns(out, [folder])).toEqual([
      { task: "qbe", path: "predict/qbe_public/benchmark.stdlist.xml" },
    ]);
    const xml = readFileSync(join(out, "predict/qbe_public/benchmark.stdlist.xml"), "utf8");
    expect(xml.match(/<detected_termlist termid="test\/(low|high|swing)" term_search_time="1.0" oov_term_count="1">/g)).toHaveLength(3); // biome-ignore format: one line
    expect(xml.match(/<term file="[a-z-]+" channel="1" tbeg="0.000" dur="0.00" score="-?\d+\.\d{4}" decision="(YES|NO)"\/>/g)).toHaveLength(27); // biome-ignore format: one line
  });

  test("stopped before its result, it goes on to the same", async () => {
    const before = readFileSync(join(folder, "predictions/test.jsonl"), "utf8");
    const parts = readdirSync(join(folder, "search"));
    expect(parts).toEqual(["dev-00000.f64", "test-00000.f64"]);
    for (const file of ["result.json", "predictions/test.jsonl", "search/test-00000.f64"]) rmSync(join(folder, file));
    const again = await evaluate({ ...options(folder), resume: true });
    expect(readFileSync(join(folder, "predictions/test.jsonl"), "utf8")).toBe(before);
    expect(again.filter(({ kind }) => kind === "searching")).toHaveLength(2);
    expect(doneOf(await evaluate({ ...options(folder), resume: true })).already).toBe(true);
  });
});

test("a document of one frame is refused, or left out and counted", async () => {
  const odd = tonesCorpus();
  writeFileSync(join(odd, "documents/short.wav"), wav16(sine(500, 16_000, 500, 0.3)));
  const data = { root: odd };
  await expect(evaluate(options(join(root, "refused"), { data }))).rejects.toThrow("1 documents of one frame (short)");
  const events = await evaluate(options(join(root, "left"), { data: { ...data, onBadFile: "skip" } }));
  expect(doneOf(events).result.search).toMatchObject({ documents: 9, leftOut: 1 });
  expect(notesOf(events).join("\n")).toContain("1 documents of one frame (short)");
});

test("documents may be drawn, and settings of training are refused", async () => {
  const events = await evaluate(options(join(root, "drawn"), { data: { most: { test: 5 } } }));
  expect(doneOf(events).result.search?.documents).toBe(5);
  const wrong = { ...options(join(root, "wrong")), training: { steps: 5 } };
  await expect(evaluate(wrong)).rejects.toThrow("training.steps: qbe trains nothing");
});
