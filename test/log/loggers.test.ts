// Loggers: what they write is read back by the programs it is for, also after a kill and a resume; one that fails ends nothing.
import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { StillwaveError } from "../../src/errors.ts";
import type { LoggedEnd, LoggedRow, LoggedRun, Logger } from "../../src/log/index.ts";
import { loggedRow, parseLoggedRow, readMetrics } from "../../src/log/index.ts";
import { RecordLog } from "../../src/log/loggers/wandb-records.ts";
import { openMade, RECORD, SETTINGS } from "./made-log.ts";
import { trainRow, validationRow } from "./rows.ts";

let folder: string;
beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), "stillwave-loggers-")), "first");
  mkdirSync(folder);
});
afterEach(() => rmSync(join(folder, ".."), { recursive: true }));

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const python = here("../../.venv-loggers/bin/python");
const env = { ...process.env, MLFLOW_ALLOW_FILE_STORE: "true" };

function hasPackage(module: string): boolean {
  try {
    execFileSync(python, ["-c", `import ${module}`], { stdio: "ignore", env });
    return true;
  } catch {
    console.log(`not read back by ${module}: .ci/run installs it into .venv-loggers`);
    return false;
  }
}
const hasWandb = hasPackage("wandb.sdk.internal.datastore");
const hasMlflow = hasPackage("mlflow");

const readBack = (script: string, path: string) =>
  JSON.parse(
    execFileSync(python, [here(script), path], { env, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }),
  );

const SUMMARY = { step: 40, finalValidation: 0.31, weightsSha256: "abc", diverged: false };

/** Rows 10, 20 (with validation), 30 and a kill in the middle of a row; resumed from 20: 30 again, 40, and the end. */
async function killedAndResumed(loggers: readonly ("csv" | "wandb" | "mlflow" | "tensorboard")[]) {
  const notes: string[] = [];
  const log = await openMade(folder, loggers, { notes });
  for (const row of [trainRow(10), trainRow(20), validationRow(20), trainRow(30, { loss: 99 })]) log.write(row);
  // a process that is gone writes nothing more: what this one has begun must be done
  const table = join(folder, "metrics.csv");
  if (loggers.includes("csv"))
    await vi.waitUntil(() => existsSync(table) && readFileSync(table, "utf8").split("\n").length === 6);
  appendFileSync(join(folder, "metrics.jsonl"), '{"kind":"train","st');
  // the first process is gone without a word: nothing is closed
  const again = await openMade(folder, loggers, { lastStep: 20, notes });
  const rest = [
    trainRow(30, { gradientNorm: Number.NaN }),
    trainRow(40, { loss: Number.POSITIVE_INFINITY }),
    validationRow(40),
  ];
  for (const row of rest) again.write(row);
  await again.end({ state: "done", summary: SUMMARY });
  await again.close();
  expect(notes).toEqual([]);
  return [trainRow(10), trainRow(20), validationRow(20), ...rest];
}

/** Steps and values of every scalar, as they must be found. */
function series(rows: readonly Parameters<typeof loggedRow>[0][]): Record<string, [number, number][]> {
  const found: Record<string, [number, number][]> = {};
  for (const { step, values } of rows.map(loggedRow))
    for (const [name, value] of Object.entries(values)) found[name] = [...(found[name] ?? []), [step, value]];
  return found;
}

function parseCsv(text: string): Record<string, string>[] {
  const [head, ...lines] = text.trimEnd().split("\n");
  const names = head.split(",");
  return lines.map((line) => {
    const cells = line.split(",");
    expect(cells).toHaveLength(names.length);
    return Object.fromEntries(names.map((name, i) => [name, cells[i]]));
  });
}

describe("what was killed in the middle of a row and resumed has every row once", () => {
  test("metrics.csv: a column for each scalar, a row for each row of the log", async () => {
    const rows = await killedAndResumed(["csv"]);
    const table = parseCsv(readFileSync(join(folder, "metrics.csv"), "utf8"));
    expect(table.map((row) => Number(row.step))).toEqual(rows.map(({ step }) => step));
    for (const [i, { epoch, seconds, values }] of rows.map(loggedRow).entries()) {
      const { step: _, epoch: e, seconds: s, ...cells } = table[i];
      expect([Number(e), Number(s)]).toEqual([epoch, seconds]);
      const filled = Object.entries(cells).filter(([, text]) => text !== "");
      expect(Object.fromEntries(filled.map(([name, text]) => [name, Number(text)]))).toEqual(values);
    }
  });

  test.skipIf(!hasWandb)("W&B's reader finds run, settings, rows, summary and end", async () => {
    const rows = await killedAndResumed(["wandb"]);
    const [offline, ...others] = readdirSync(join(folder, "wandb"));
    expect(others).toEqual([]);
    const [, id] = /^offline-run-\d{8}_\d{6}-(\w{8})$/.exec(offline)!;
    const found = readBack("./read_wandb.py", join(folder, "wandb", offline, `run-${id}.wandb`));
    expect(found.kinds.slice(0, 3)).toEqual(["header", "run", "history"]);
    expect(found.run).toEqual({
      ...{ id, project: "stillwave", group: "", type: "distill", name: "first" },
      ...{ tags: ["stillwave", "distill", "night", "team=speech"], began: RECORD.created, config: SETTINGS },
    });
    // rows of one step are one
    expect(found.history.map(({ step }: LoggedRow) => step)).toEqual([10, 20, 30, 40]);
    const points: Record<string, [number, number][]> = {};
    for (const { step, _step, _runtime, _timestamp, epoch, ...values } of found.history) {
      expect([_step, _runtime, epoch]).toEqual([step, step * 0.8, Math.floor(step / 100)]);
      for (const [name, value] of Object.entries(values))
        points[name] = [...(points[name] ?? []), [step, Number(value)]];
    }
    expect(points).toEqual(series(rows));
    expect([found.summary, found.exit]).toEqual([SUMMARY, 0]);
  });

  test.skipIf(!hasMlflow)("MLflow's client finds run, params, metrics, tags and end", async () => {
    const rows = await killedAndResumed(["mlflow"]);
    const [run, ...others] = readBack("./read_mlflow.py", join(folder, "mlruns"));
    expect(others).toEqual([]);
    const { experiment, name, status, began, params, tags, metrics } = run;
    expect([experiment, name, status, began]).toEqual(["stillwave", "first", "FINISHED", Date.parse(RECORD.created)]);
    expect(params).toEqual({
      teacher: "package:hubert",
      "student.conv": "[[128,10,5],[256,1,1]]",
      "student.attentionFrom": "[0,0,2]",
      "optimizer.peakLr": "0.005",
      "optimizer.clipNorm": "null",
      "run.steps": "40",
      "run.stopOnDivergence": "false",
    });
    expect(tags).toMatchObject({
      "stillwave.kind": "distill",
      team: "speech",
      night: "",
      "summary.weightsSha256": "abc",
    });
    const number = (text: string) => (text === "inf" ? Number.POSITIVE_INFINITY : Number(text));
    const points = Object.entries<[number, string, number][]>(metrics).map(([metric, list]) => [
      metric,
      list.map(([step, value]) => [step, number(value)]),
    ]);
    const summary = { "summary/step": [[40, 40]], "summary/finalValidation": [[40, 0.31]] };
    expect(Object.fromEntries(points)).toEqual({ ...series(rows), ...summary });
    // what stayed has the time that its seconds say
    expect(metrics["loss/total"][0][2]).toBe(Date.parse(RECORD.created) + 8000);
  });
});

test.skipIf(!hasWandb)("records that fill blocks to the last byte, and that span several, are read by W&B", () => {
  const log = new RecordLog();
  const sizes = [32_768 - 7 - 7 - 7 - 3, 4, 32_761, 70_000, 0, 32_768 * 3, 1];
  const bytes = Buffer.concat([log.begin(), ...sizes.map((size, i) => log.framed(new Uint8Array(size).fill(i + 1)))]);
  const path = join(folder, "sizes.wandb");
  writeFileSync(path, bytes);
  const script = `
import sys
from wandb.sdk.internal.datastore import DataStore
store = DataStore()
store.open_for_scan(sys.argv[1])
while (data := store.scan_data()) is not None:
    print(len(data), len(set(data)))`;
  const found = execFileSync(python, ["-c", script, path], { encoding: "utf8" }).trim().split("\n");
  expect(found).toEqual(sizes.map((size) => `${size} ${Math.min(1, size)}`));
});

describe("loggers of the user", () => {
  class Recording implements Logger {
    readonly name = "mine";
    readonly heard: unknown[] = [];
    async start(run: LoggedRun) {
      const kept: number[] = [];
      for await (const { step } of run.resumed?.rows() ?? []) kept.push(step);
      this.heard.push([run.name, run.resumed?.lastStep, kept]);
    }
    async log({ step, values }: LoggedRow) {
      // slow: calls must wait for each other all the same
      await new Promise((resolve) => setTimeout(resolve, step === 1 ? 20 : 0));
      this.heard.push([step, values["loss/total"]]);
    }
    end({ state, summary }: LoggedEnd) {
      this.heard.push([state, summary]);
    }
  }

  test("hear start, rows in order and the end, and after a resume what stays", async () => {
    const mine = new Recording();
    const log = await openMade(folder, [mine]);
    for (const step of [1, 2, 3]) log.write(trainRow(step, { loss: step }));
    await log.close();
    const again = await openMade(folder, [mine], { lastStep: 2 });
    again.write(trainRow(3, { loss: 3.5 }));
    await again.end({ state: "done", summary: { step: 3 } });
    await again.close();
    expect(mine.heard).toEqual([
      ...[["first", undefined, []], [1, 1], [2, 2], [3, 3], ["interrupted", {}]],
      ...[["first", 2, [1, 2]], [3, 3.5], ["done", { step: 3 }]],
    ]); // biome-ignore format: as heard
  });

  test.each(["start", "log", "late", "end"])(
    "one that fails at %s is named once; the others and metrics.jsonl have every row",
    async (at) => {
      const broken: Logger = {
        name: "plot",
        start: () => fail(at === "start"),
        log: ({ step }) =>
          at === "late" ? Promise.resolve().then(() => fail(step === 2)) : fail(at === "log" && step === 2),
        end: () => fail(at === "end"),
      };
      const [mine, notes] = [new Recording(), [] as string[]];
      const log = await openMade(folder, [broken, mine], { notes });
      for (const step of [1, 2, 3]) log.write(trainRow(step, { loss: step }));
      await log.end({ state: "done", summary: {} });
      await log.close();
      expect(notes).toEqual([
        "logger plot failed and gets nothing more of this start: out of ink. The run goes on, and its metrics.jsonl has every row",
      ]);
      expect(mine.heard).toEqual([
        ["first", undefined, []],
        [1, 1],
        [2, 2],
        [3, 3],
        ["done", {}],
      ]);
      expect((await readMetrics(join(folder, "metrics.jsonl"))).map(({ step }) => step)).toEqual([1, 2, 3]);
    },
  );

  const fail = (now: boolean) => {
    if (now) throw new Error("out of ink");
  };
});

test("a format whose place cannot be written is named with file and remedy, and the run goes on", async () => {
  writeFileSync(join(folder, "wandb"), "in the way");
  writeFileSync(join(folder, "mlruns"), "in the way");
  mkdirSync(join(folder, "metrics.csv"));
  const notes: string[] = [];
  const log = await openMade(folder, ["csv", "wandb", "mlflow"], { notes });
  log.write(trainRow(1));
  await log.end({ state: "done", summary: {} });
  await log.close();
  expect(notes.map((note) => note.split(" ")[1]).sort()).toEqual(["csv", "mlflow", "wandb"]);
  for (const note of notes)
    expect(note).toMatch(
      /first.*: .*(in the way|a folder stands where|a file stands where|a file, where).*write elsewhere/,
    );
});

test("what metrics.jsonl refuses ends the run: resume and reports need it", async () => {
  const log = await openMade(folder, []);
  await log.close();
  expect(() => log.write(trainRow(1))).toThrow(StillwaveError);
});

test("a tracking server is not written to: the note says what to do", async () => {
  process.env.MLFLOW_TRACKING_URI = "http://mlflow.example:5000";
  try {
    const notes: string[] = [];
    await (await openMade(folder, ["mlflow"], { notes })).close();
    expect(notes).toEqual([expect.stringMatching(/MLFLOW_TRACKING_URI is http.*; unset it, or name a folder/)]);
  } finally {
    delete process.env.MLFLOW_TRACKING_URI;
  }
});

test("TensorBoard that joins at a resume gets the rows before it", async () => {
  const first = await openMade(folder, []);
  for (const step of [1, 2, 3]) first.write(trainRow(step));
  await first.close();
  const log = await openMade(folder, ["tensorboard"], { lastStep: 2 });
  log.write(trainRow(3));
  await log.close();
  const [name, ...others] = readdirSync(join(folder, "tensorboard"));
  expect(others).toEqual([]);
  const bytes = readFileSync(join(folder, "tensorboard", name), "latin1");
  expect(bytes.split("loss/total").length - 1).toBe(3);
});

describe("a line of a log of scalars", () => {
  test("is read as it was written", () => {
    const row: LoggedRow = { step: 3, seconds: 1.5, epoch: 0.25, values: { a: 1, "b/c": -2 } };
    expect(parseLoggedRow(JSON.stringify(row))).toEqual(row);
    expect(parseLoggedRow('{"step":0,"seconds":0,"values":{"x":"NaN"}}').values.x).toBeNaN();
  });

  test("is a row or an error that says what is wrong, whatever it holds", () => {
    const json = fc.oneof(
      fc.json(),
      fc.record({ step: fc.nat(), seconds: fc.double(), values: fc.jsonValue() }).map((v) => JSON.stringify(v)),
    );
    fc.assert(
      fc.property(json, (line) => {
        try {
          const { step, values } = parseLoggedRow(line);
          expect([Number.isSafeInteger(step), typeof values]).toEqual([true, "object"]);
        } catch (error) {
          expect((error as Error).message).toMatch(/ is not /);
        }
      }),
    );
  });
});
