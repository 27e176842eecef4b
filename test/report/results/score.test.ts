// Scores of upstreams over their runs: grouped rightly, chosen on dev, partial ones marked, published ones reproduced.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { scoreTables } from "../../../src/report/comparison/tables.ts";
import type { Evaluation } from "../../../src/report/results/read.ts";
import { scoreEvaluations, scoreRuns } from "../../../src/report/results/score.ts";
import { madeRun, writeRun } from "../runs.ts";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "scores-"));
});
afterAll(() => rm(root, { recursive: true }));

/** SUPERB, arXiv:2105.01051 table 2. */
const hubert = {
  per: 5.41,
  wer: 6.42,
  ks: 96.3,
  mtwv: 0.0736,
  sid: 81.42,
  eer: 5.11,
  der: 5.88,
  ic: 98.34,
  f1: 88.53,
  cer: 25.2,
  er: 64.92,
};

const fingerprinted = (run: Evaluation, fingerprint: string): Evaluation => ({
  ...run,
  result: { ...run.result, upstream: { ...run.result.upstream, fingerprint } },
});

test("slot filling counts by both of its metrics, emotion by the mean of its folds", () => {
  const [sf, er] = [madeRun("sf", { upstream: "a", share: 0.1 }), madeRun("er", { upstream: "a" })];
  const [{ results, sources, superbS }] = scoreEvaluations([sf, er]).upstreams;
  expect(results).toEqual({ f1: sf.result.metric.value, cer: sf.result.otherMetrics[0].value, er: er.result.metric.value }); // biome-ignore format: one line
  expect(sources.map(({ metric, from }) => [metric, from])).toEqual(expect.arrayContaining([["f1", sf.folder], ["cer", sf.folder], ["er", er.folder]])); // biome-ignore format: one line
  expect(superbS.present).toEqual(["SF", "ER"]);
});

describe("runs", () => {
  const tasks = ["pr", "asr", "ks", "sid", "ic"] as const;
  const runs = tasks.map((task) => madeRun(task, { upstream: "a", share: 0.1 }));

  test("runs of one upstream make one row, partial and marked", () => {
    const { upstreams } = scoreEvaluations(runs);
    expect(upstreams).toHaveLength(1);
    const [{ results, overall, superbS, sources }] = upstreams;
    expect(results).toEqual({
      per: runs[0].result.metric.value,
      wer: runs[1].result.metric.value,
      ks: runs[2].result.metric.value,
      sid: runs[3].result.metric.value,
      ic: runs[4].result.metric.value,
    });
    expect(overall.isPartial && superbS.isPartial).toBe(true);
    expect(overall.missing).toEqual(["mtwv", "eer", "der", "f1", "cer", "er"]);
    expect(sources.map(({ from }) => from)).toEqual(runs.map(({ folder }) => folder));
    const [{ rows, notes }] = scoreTables(upstreams);
    expect(rows[0].at(-2)).toMatch(/^\d\d\.\d\d \(partial: 5 of 11\)$/);
    expect(rows[0].at(-1)).toMatch(/^\d+ \(partial: 5 of 10\)$/);
    expect(notes[0]).toMatch(
      /^a: partial scores, not comparable with published ones: overall lacks mtwv, .*superb_s lacks QbE/,
    );
    expect(notes).toContain(
      'a: per, wer, ks, sid, ic by the protocol "fixed", not the benchmark\'s own lengths of training.',
    );
  });

  test("runs belong together by fingerprint, whatever they are called; by name where there is none", () => {
    const [first, second] = [madeRun("pr", { upstream: "path/one" }), madeRun("ks", { upstream: "./path/one" })];
    const joined = [fingerprinted(first, "f"), fingerprinted(second, "f")];
    expect(scoreEvaluations(joined).upstreams.map(({ results }) => Object.keys(results))).toEqual([["per", "ks"]]);
    const nameless = [
      madeRun("pr", { upstream: "x" }),
      madeRun("ks", { upstream: "x" }),
      madeRun("ks", { upstream: "y" }),
    ];
    expect(scoreEvaluations(nameless.map((run) => fingerprinted(run, ""))).upstreams.map(({ name }) => name)).toEqual([
      "x",
      "y",
    ]);
    const namesakes = [
      fingerprinted(madeRun("pr", { upstream: "x" }), "sha256:0123456789"),
      fingerprinted(madeRun("ks", { upstream: "x" }), "sha256:9876543210"),
    ];
    const { upstreams } = scoreEvaluations(namesakes);
    expect(upstreams.map(({ name }) => name)).toEqual(["x (01234567)", "x (98765432)"]);
    expect(upstreams[0].notes).toEqual([expect.stringContaining("scored apart")]);
  });

  test("dev chooses between two runs of one task, not test, and the other is named", () => {
    const [flattered, chosen] = [
      madeRun("pr", { upstream: "a", share: 0.02 }),
      madeRun("pr", { upstream: "a", share: 0.2, seed: 2 }),
    ];
    const runs = [
      { ...flattered, folder: "flattered", result: { ...flattered.result, dev: 30 } },
      { ...chosen, folder: "chosen", result: { ...chosen.result, dev: 20 } },
    ];
    for (const order of [runs, runs.toReversed()]) {
      const [{ results, notes }] = scoreEvaluations(order).upstreams;
      expect(results.per).toBe(chosen.result.metric.value);
      expect(notes).toEqual(["flattered is left out: chosen of the same task is better on dev"]);
    }
  });
});

describe("published results", () => {
  const write = async (name: string, content: unknown) => {
    const file = join(root, name);
    await writeFile(file, typeof content === "string" ? content : JSON.stringify(content));
    return file;
  };

  test("published results reproduce the published scores, beside a run", async () => {
    const run = join(root, "run");
    await writeRun(run, madeRun("pr", { upstream: "mine" }));
    const file = await write("hubert.json", { name: "HuBERT Base", parameters: 94_680_000, ...hubert });
    const { upstreams } = await scoreRuns([run], [file]);
    expect(upstreams.map(({ name }) => name)).toEqual(["mine", "HuBERT Base"]);
    const [{ rows, notes }] = scoreTables(upstreams);
    expect(rows[1].slice(-2)).toEqual(["80.80", "941"]);
    expect(rows[1]).toContain("0.0736");
    expect(rows[0][3]).toBe("—");
    expect(notes).toContain("Scores over different tasks are not comparable with one another.");
  });

  test("published results alone are named by their file where they have no name", async () => {
    const file = await write("dphubert.json", { per: 9.67 });
    const { upstreams } = await scoreRuns([], [file]);
    expect(upstreams).toMatchObject([{ name: "dphubert", fingerprint: null, overall: { isPartial: true } }]);
  });

  test.each<[string, unknown, RegExp]>([
    ["text", "{", /bad\.json: not valid JSON .*expected an object/],
    ["a list", [1], /bad\.json: .*expected an object/],
    ["an unknown metric", { per: 1, pers: 2 }, /bad\.json: .*pers.*per, wer/],
    ["text for a number", { per: "7.72" }, /bad\.json: per: /],
    ["a percentage for a fraction", { mtwv: 7.36 }, /bad\.json: mtwv: 7\.36 is no possible result/],
    ["nothing", { name: "x" }, /bad\.json: holds no result/],
  ])("a file of results with %s is refused", async (_, content, message) => {
    await expect(scoreRuns([], [await write("bad.json", content)])).rejects.toThrow(message);
  });

  test("scores of nothing, or of a file that is not there, are refused", async () => {
    await expect(scoreRuns([])).rejects.toThrow(/no runs/);
    await expect(scoreRuns([], [join(root, "none.json")])).rejects.toThrow(/none\.json: no file of results/);
    await expect(scoreRuns([], [root])).rejects.toThrow(/no file of results/);
  });
});
