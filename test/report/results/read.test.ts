// Run folders: read as written, refused with file and remedy whatever else lies there, and recomputed from predictions.
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { StillwaveError } from "../../../src/errors.ts";
import { readEvaluation } from "../../../src/report/results/read.ts";
import { rescore } from "../../../src/report/results/rescore.ts";
import { madeRun, writeRun } from "../runs.ts";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "evaluations-"));
});
afterAll(() => rm(root, { recursive: true }));

let made = 0;
const fresh = () => join(root, String(made++));

/** A change of the parsed result.json: the value to write instead, text as it is; undefined: the value itself. */
type Change = (value: Record<string, unknown>) => unknown;

/** The change of one field: `metric.value`. */
const put =
  (path: string, content: unknown): Change =>
  (value) => {
    const keys = path.split(".");
    const last = keys.pop()!;
    const holder = keys.reduce((at, key) => at[key] as Record<string, unknown>, value);
    holder[last] = content;
  };

async function spoiled(...changes: Change[]): Promise<string> {
  const folder = fresh();
  const run = await writeRun(folder, madeRun("pr"));
  const value = JSON.parse(JSON.stringify(run.result));
  const changed = changes.map((change) => change(value)).at(-1) ?? value;
  await writeFile(join(folder, "result.json"), typeof changed === "string" ? changed : JSON.stringify(changed));
  return folder;
}

describe("reading", () => {
  test.each(["pr", "asr", "ks", "sid", "ic"] as const)("a run of %s is read as it was written", async (task) => {
    const folder = fresh();
    const written = await writeRun(folder, madeRun(task));
    expect(await readEvaluation(folder)).toEqual(written);
  });

  test("losses of a training that diverged may be no numbers", async () => {
    const folder = await spoiled(
      put("learningRates.0.curve.0.devLoss", null),
      put("learningRates.0.curve.0.trainLoss", "Infinity"),
      put("layerWeights.3", "NaN"),
    );
    const { result } = await readEvaluation(folder);
    expect(result.learningRates[0].curve[0]).toMatchObject({
      devLoss: Number.NaN,
      trainLoss: Number.POSITIVE_INFINITY,
    });
    expect(result.layerWeights[3]).toBeNaN();
  });

  test("a run may lack the predictions of dev", async () => {
    const folder = fresh();
    await writeRun(folder, madeRun("ks"));
    await rm(join(folder, "predictions/dev.jsonl"));
    const evaluation = await readEvaluation(folder);
    expect(evaluation.dev).toBeUndefined();
    expect((await rescore(evaluation)).dev).toBeUndefined();
  });
});

describe("whatever else lies there is refused with file and remedy", () => {
  test("a missing folder, a file, and a folder without a result are refused with the remedy", async () => {
    await expect(readEvaluation(join(root, "nowhere"))).rejects.toThrow(/nowhere: no such folder; give the folder/);
    await writeFile(join(root, "file"), "{}");
    await expect(readEvaluation(join(root, "file"))).rejects.toThrow(/file: a file; give the folder/);
    await mkdir(join(root, "bare"));
    await expect(readEvaluation(join(root, "bare"))).rejects.toThrow(/bare: holds no result.json.*has not finished/);
  });

  test.each<[string, Change, RegExp]>([
    ["empty", () => " ", /result\.json: not valid JSON, perhaps truncated \(the file is empty\)/],
    [
      "truncated",
      (value) => JSON.stringify(value).slice(0, 700),
      /result\.json: not valid JSON, perhaps truncated .*resume the evaluation/,
    ],
    ["an array", () => "[]", /not the result of an evaluation; give the folder/],
    ["null", () => "null", /not the result of an evaluation/],
    ["package.json", () => '{"name": "x", "version": "1.0.0"}', /not the result of an evaluation/],
    ["a later format", (value) => ({ ...value, format: 2 }), /result\.json: format 2; this version reads format 1/],
    ["another task", (value) => ({ ...value, task: "tts" }), /result\.json: task: /],
    ["a missing field", (value) => ({ ...value, metric: undefined }), /result\.json: metric: .*resume the evaluation/],
    ["text for a number", put("learningRates.1.steps", "many"), /learningRates\[1\]\.steps: .*number/],
    ["a negative learning rate", put("learningRates.0.learningRate", -1), /learningRates\[0\]\.learningRate: /],
    ["no metric", put("metric.value", null), /metric\.value: .*number/],
    ["1e999", (value) => JSON.stringify({ ...value, dev: "@" }).replace('"@"', "1e999"), /result\.json: dev: /],
    ["too few weights", put("layerWeights", new Array(12).fill(1 / 12)), /layerWeights: 12 for 13 layers/],
    ["two chosen", put("learningRates.0.chosen", true), /2 of them are chosen/],
    ["accuracy in phones", (value) => ({ ...value, task: "ks" }), /unit: phone for the task ks/],
    ["phones by accuracy", (value) => ({ ...value, unit: null }), /unit: null for the task pr/],
    ["a PER to be high", put("metric.isHigherBetter", true), /metric\.isHigherBetter/],
    ["another first decoding", put("decodings.0.metric.value", 99), /decodings\[0\]: .* headline/],
    ["a path upwards", put("predictions.test", "../../etc/passwd"), /predictions\.test: .*inside the run folder/],
    ["a path from the root", put("predictions.dev", "/etc/passwd"), /predictions\.dev: .*inside the run folder/],
    ["the folder itself", put("predictions.test", "."), /predictions\.test: .*inside the run folder/],
    ["lost predictions", put("predictions.test", "gone.jsonl"), /gone\.jsonl: no such prediction file/],
  ])("%s", async (_, change, message) => {
    const folder = await spoiled(change);
    const error = await readEvaluation(folder).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(StillwaveError);
    expect((error as Error).message).toMatch(message);
    expect((error as Error).message).toContain(folder);
  });

  test("keys of objects in result.json pollute nothing", async () => {
    const folder = await spoiled((value) =>
      JSON.stringify(value).replace('"options":{', '"options":{"__proto__":"x","constructor":"y",'),
    );
    const { result } = await readEvaluation(folder);
    expect(result.options.batch).toBe(16);
    expect(({} as Record<string, unknown>).x).toBeUndefined();
  });

  test("malformed predictions are refused with their line", async () => {
    const folder = fresh();
    await writeRun(folder, madeRun("pr"));
    await writeFile(
      join(folder, "predictions/test.jsonl"),
      '{"id":"a","reference":"A","hypothesis":"A"}\n{"id":"b","ref',
    );
    await expect(readEvaluation(folder)).rejects.toThrow(/predictions\/test\.jsonl:2: not valid JSON/);
  });
});

describe("recomputing", () => {
  test.each(["pr", "asr", "ks", "sid", "ic"] as const)(
    "every metric computed again for %s is what result.json says",
    async (task) => {
      const folder = fresh();
      const run = madeRun(task);
      const other = madeRun(task, { share: 0.1, seed: 9 });
      const further = task === "asr" ? [{ name: "prefix beam 10", rows: other.test }] : [];
      await writeRun(folder, run, further);
      const scored = await rescore(await readEvaluation(folder));
      expect(scored.test.value).toBe(run.result.metric.value);
      expect(scored.dev!.value).toBe(run.result.dev);
      expect(scored.decodings.map(({ value }) => value)).toEqual(
        task === "asr"
          ? [run.result.metric.value, other.result.metric.value]
          : run.result.decodings.map(({ metric }) => metric.value),
      );
    },
  );

  test("a figure that differs is an error with both figures", async () => {
    const folder = fresh();
    const run = await writeRun(folder, madeRun("pr"));
    const { value } = run.result.metric;
    const flattering = await spoiled(put("metric.value", 1.5), put("decodings.0.metric.value", 1.5));
    await expect(rescore(await readEvaluation(flattering))).rejects.toThrow(
      new RegExp(`metric\\.value is 1\\.5, but predictions/test\\.jsonl gives ${value}; .*resume the evaluation`),
    );
    const dev = await spoiled(put("dev", 1.25));
    await expect(rescore(await readEvaluation(dev))).rejects.toThrow(
      /result\.json: dev is 1\.25, but predictions\/dev\.jsonl gives /,
    );
  });

  test("predictions cut at the end of a line are found out", async () => {
    const folder = fresh();
    const run = await writeRun(folder, madeRun("asr"));
    const half = run.test.slice(0, 30);
    await writeFile(join(folder, "predictions/test.jsonl"), half.map((row) => JSON.stringify(row)).join("\n"));
    await expect(rescore(await readEvaluation(folder))).rejects.toThrow(/from 30 predictions where \d+ utterances/);
  });

  test("predictions of another decoding that are missing or changed are found out", async () => {
    const folder = fresh();
    const other = madeRun("asr", { share: 0.1, seed: 9 });
    await writeRun(folder, madeRun("asr"), [{ name: "prefix beam 10", rows: other.test }]);
    const copy = fresh();
    await cp(folder, copy, { recursive: true });
    await rm(join(folder, "predictions/test-1.jsonl"));
    await expect(rescore(await readEvaluation(folder))).rejects.toThrow(/test-1\.jsonl: no such prediction file/);
    await cp(join(copy, "predictions/test.jsonl"), join(copy, "predictions/test-1.jsonl"));
    await expect(rescore(await readEvaluation(copy))).rejects.toThrow(/decodings\[1\]\.metric\.value is /);
  });
});
