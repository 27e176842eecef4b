// Comparisons: the right runs against each other, differences in the right direction, everything else named as not comparable.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Prediction } from "../../../src/metrics/predictions.ts";
import { writeComparisonReport } from "../../../src/report/comparison/page.ts";
import { comparisonTables } from "../../../src/report/comparison/tables.ts";
import { compareEvaluations, compareRuns } from "../../../src/report/results/compare.ts";
import { holm } from "../../../src/report/results/pairs.ts";
import type { Evaluation } from "../../../src/report/results/read.ts";
import { brokenIds, outside, parse, textOf } from "../page.ts";
import { madeRun, metricOf, writeRun } from "../runs.ts";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "comparison-"));
});
afterAll(() => rm(root, { recursive: true }));

const options = { seed: 3, draws: 500 };

const teacher = madeRun("pr", { upstream: "teacher", share: 0.06 });
const student = madeRun("pr", { upstream: "student", share: 0.2, seed: 2, parameters: 22_394_080, layers: 5 });
const twin = { ...madeRun("pr", { upstream: "twin", share: 0.06, seed: 5 }), folder: "runs/twin" };

const withTest = (run: Evaluation, rows: readonly Prediction[], folder: string): Evaluation => ({
  ...run,
  folder,
  test: rows,
  result: { ...run.result, metric: metricOf(run.result.task, rows) },
});

test("Holm's correction, as R's p.adjust has it", () => {
  expect(holm([0.01, 0.04, 0.03, 0.005]).map((p) => +p.toFixed(9))).toEqual([0.03, 0.06, 0.06, 0.02]);
  expect(holm([0.9, 0.8])).toEqual([1, 1]);
  expect(holm([])).toEqual([]);
});

describe("runs on one test set", () => {
  const { tasks } = compareEvaluations([student, twin, teacher], options);
  const [{ testSets, notComparable }] = tasks;
  const [{ runs, pairs, differences }] = testSets;

  test("runs on one test set are ranked, whatever the order they were given in", () => {
    expect(tasks).toHaveLength(1);
    expect(testSets).toHaveLength(1);
    expect(notComparable).toEqual([]);
    const values = runs.map(({ metric }) => metric.value);
    expect(values).toEqual([...values].sort((a, b) => a - b));
    expect(runs.at(-1)!.label).toBe("student");
    expect(runs.at(-1)).toMatchObject({
      parameters: 22_394_080,
      learningRate: 1e-3,
      steps: 6000,
      trainingSeconds: 3811,
    });
  });

  test("every pair of runs is compared, the better first, with interval and tests", () => {
    expect(pairs).toHaveLength(3);
    const pair = pairs.find(({ a, b }) => a === "teacher" && b === "student")!;
    expect(pair.difference.estimate).toBeCloseTo(teacher.result.metric.value - student.result.metric.value, 9);
    expect(pair.difference.high).toBeLessThan(0);
    expect(pair.tests.map(({ name }) => name)).toEqual(["matched pairs", "sign test"]);
    expect(pair.decidedBy).toBe("matched pairs");
    expect(pair.differs).toBe(true);
    const { aBetter, bBetter, ties } = pair.utterances;
    expect(aBetter + bBetter + ties).toBe(77);
    expect(pair.sentence).toMatch(
      /^teacher is better than student by \d+\.\d\d points of PER \(95 % interval .*corrected for 3 pairs/,
    );
    const gain = Number(/by (\d+\.\d\d) points/.exec(pair.sentence)![1]);
    expect(gain).toBeCloseTo(student.result.metric.value - teacher.result.metric.value, 1);
    const close = pairs.find(({ b, a }) => [a, b].includes("twin") && [a, b].includes("teacher"))!;
    expect(close.differs).toBe(false);
    expect(close.sentence).toMatch(/cannot be told apart on these 77 utterances/);
  });

  test("settings in which runs differ are listed, others are not", () => {
    const names = differences.map(({ name }) => name);
    expect(names).toContain("seed");
    expect(names).toContain("hidden states");
    expect(names).not.toContain("batch");
  });

  test("the same seed gives the same comparison, which survives JSON", () => {
    const again = compareEvaluations([student, twin, teacher], options);
    expect(JSON.parse(JSON.stringify(again))).toEqual(again);
    expect(again.tasks).toEqual(tasks);
  });
});

test("accuracies: higher is better, McNemar decides", () => {
  const [good, bad] = [
    madeRun("ks", { upstream: "good", share: 0.03 }),
    madeRun("ks", { upstream: "bad", share: 0.2, seed: 2 }),
  ];
  const [{ testSets }] = compareEvaluations([bad, good], options).tasks;
  expect(testSets[0].runs.map(({ label }) => label)).toEqual(["good", "bad"]);
  const [{ difference, decidedBy, sentence, utterances }] = testSets[0].pairs;
  expect(difference.estimate).toBeCloseTo(good.result.metric.value - bad.result.metric.value, 9);
  expect(decidedBy).toBe("McNemar");
  expect(utterances.aBetter).toBeGreaterThan(utterances.bBetter);
  expect(sentence).toMatch(/^good is better than bad by \d+\.\d\d points of accuracy/);
  expect(sentence).not.toContain("corrected");
});

test("few utterances: the sign test decides; equal runs cannot be told apart", () => {
  const small = (run: Evaluation, folder: string) => withTest(run, run.test.slice(0, 20), folder);
  const [{ testSets }] = compareEvaluations([small(teacher, "a"), small(student, "b")], options).tasks;
  expect(testSets[0].pairs[0].decidedBy).toBe("sign test");
  const same = compareEvaluations([teacher, { ...teacher, folder: "copy" }], options).tasks[0].testSets[0];
  expect(same.pairs[0]).toMatchObject({ p: 1, differs: false, difference: { estimate: 0, low: 0, high: 0 } });
  expect(same.runs.map(({ label }) => label)).toEqual(["teacher (pr-teacher)", "teacher (copy)"]);
});

describe("runs on different test sets", () => {
  const other = withTest(
    { ...student, result: { ...student.result, upstream: { ...student.result.upstream, name: "other" } } },
    student.test.slice(10),
    "runs/other",
  );
  const relabelled = withTest(
    { ...twin, result: { ...twin.result, upstream: { ...twin.result.upstream, name: "relabelled" } } },
    twin.test.map((row, i) => (i === 7 ? { ...row, reference: `${row.reference}0` } : row)),
    "runs/relabelled",
  );
  const runs = [teacher, student, other, relabelled];
  const comparison = compareEvaluations(runs, options);
  const [{ testSets, notComparable }] = comparison.tasks;

  test("runs on different test sets stand apart, and why is said for every pair", () => {
    expect(testSets.map((set) => set.runs.map(({ label }) => label))).toEqual([
      ["teacher", "student"],
      ["other"],
      ["relabelled"],
    ]);
    expect(testSets.map(({ pairs }) => pairs.length)).toEqual([1, 0, 0]);
    expect(notComparable).toHaveLength(5);
    expect(notComparable.find(({ a, b }) => a === "teacher" && b === "other")!.reason).toBe(
      "the test sets differ: 77 and 67 utterances, of which 67 are in both",
    );
    const id = twin.test[7].id;
    expect(notComparable.find(({ a, b }) => a === "teacher" && b === "relabelled")!.reason).toContain(
      `the references of 1 utterances differ, for example of "${id}"`,
    );
  });

  test("the page and the tables say which runs are not comparable", () => {
    expect(textOf(writeComparisonReport(runs, comparison))).toMatch(
      /Not comparable teacher and other: the test sets differ/,
    );
    const notes = comparisonTables(comparison).flatMap((table) => table.notes);
    expect(notes).toContain(
      "teacher and other are not comparable: the test sets differ: 77 and 67 utterances, of which 67 are in both.",
    );
  });

  test("the same utterances in another order are the same test set", () => {
    const turned = { ...student, test: student.test.toReversed() };
    expect(compareEvaluations([teacher, turned], options).tasks[0].testSets).toHaveLength(1);
  });
});

describe("the page", () => {
  const runs = [
    teacher,
    student,
    twin,
    madeRun("ks", { upstream: "teacher", share: 0.03 }),
    madeRun("ks", { upstream: "student", share: 0.1, seed: 2, rates: [1e-4] }),
    madeRun("asr", { upstream: "teacher" }),
  ];
  const page = writeComparisonReport(runs, compareEvaluations(runs, options));
  const text = textOf(page);

  test("the page shows metrics, verdicts, sweeps, weights, utterances and scores", () => {
    expect(text).toContain("6 runs of 3 upstreams");
    for (const title of ["Phoneme recognition", "Keyword spotting", "Speech recognition"])
      expect(text).toContain(title);
    expect(text).toMatch(/is better than student by \d+\.\d\d points of PER/);
    expect(text).toContain("Utterances on which they differ most");
    const document = parse(page);
    expect(document.querySelectorAll("svg.mini")).toHaveLength(6);
    expect(document.querySelectorAll("audio")).toHaveLength(10);
    expect(document.querySelectorAll(".partial")).toHaveLength(6);
    expect(text).toContain("partial: 3 of 11");
    expect(text).toMatch(/student: partial scores, not comparable with published ones: overall lacks wer, mtwv/);
    expect(text).toContain("Scores over different tasks are not comparable with one another.");
  });

  test("the page loads and runs nothing, is accessible, has no broken number in a picture", () => {
    expect(outside(page)).toEqual([]);
    expect(brokenIds(page)).toEqual([]);
    for (const svg of parse(page).querySelectorAll("svg"))
      expect(svg.outerHTML.replace(/<(desc|title).*?<\/\1>/g, "")).not.toMatch(/NaN|undefined|Infinity/);
    expect(Buffer.byteLength(page)).toBeLessThan(3e6);
  });

  test("the page of one run alone compares nothing", () => {
    const alone = textOf(writeComparisonReport([teacher], compareEvaluations([teacher], options)));
    expect(alone).toContain("1 run of 1 upstream");
    expect(alone).not.toContain("(best)");
  });

  test("hostile names, broken weights and odd figures leave the page whole", () => {
    const evil = `<script>alert(1)</script>"'&</style>\u0000`;
    const hostile = [teacher, student].map((run, i): Evaluation => {
      const { result } = run;
      const upstream = { ...result.upstream, name: evil, layers: result.upstream.layers.map(() => evil) };
      const rows = run.test.map((row) => ({
        ...row,
        id: `${evil}${row.id}`,
        hypothesis: `${row.hypothesis} ${evil.replaceAll(" ", "")}`,
      }));
      const data = { ...result.data, test: { ...result.data.test, source: evil } };
      const changed = {
        ...result,
        upstream,
        data,
        options: { [evil]: `${evil}${i}` },
        layerWeights: result.layerWeights.map(() => Number.NaN),
      };
      return withTest({ ...run, result: changed }, rows, `${evil}${i}`);
    });
    const evilPage = writeComparisonReport(hostile, compareEvaluations(hostile, options));
    expect(outside(evilPage)).toEqual([]);
    expect(evilPage.match(/<script/g)).toHaveLength(1);
    expect(evilPage).not.toContain("\u0000");
    expect(brokenIds(evilPage)).toEqual([]);
    expect(textOf(evilPage)).toContain("no finite weight");
    const tables = comparisonTables(compareEvaluations(hostile, options));
    expect(JSON.stringify(tables)).not.toContain("\\u0000");
  });
});

describe("folders", () => {
  test("folders are read and checked before they are compared", async () => {
    const folders = [join(root, "a"), join(root, "b")];
    await writeRun(folders[0], teacher);
    await writeRun(folders[1], student);
    const comparison = await compareRuns(folders, options);
    expect(comparison.tasks[0].testSets[0].runs.map(({ folder }) => folder)).toEqual(folders);
    await expect(compareRuns([])).rejects.toThrow(/no runs; give the folders/);
    await expect(compareRuns([folders[0], `${folders[0]}/`])).rejects.toThrow(/given twice/);
    await expect(compareRuns([folders[0], join(root, "nowhere")])).rejects.toThrow(/nowhere: no such folder/);
    await writeRun(folders[1], { ...student, result: { ...student.result, dev: 0.5 } });
    await expect(compareRuns(folders)).rejects.toThrow(/b\/result\.json: dev is 0\.5, but/);
  });
});
