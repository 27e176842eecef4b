// The list of runs: every kind and state from the files it leaves, thousands of them, and files that are being written.
import { appendFileSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { CurveStore } from "../../src/dashboard/curves.ts";
import { RunScanner } from "../../src/dashboard/scan.ts";
import { openDashboard } from "../../src/dashboard/server.ts";
import { rowOfLine } from "../../src/dashboard/tail.ts";
import { trainRow } from "../log/rows.ts";
import { addRows, makeRun, scalarRow } from "./made-runs.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "stillwave-dashboard-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

async function makeAll(): Promise<void> {
  await makeRun(join(root, "running"), { steps: 20, isRunning: true });
  await makeRun(join(root, "stopped"), { steps: 30 });
  await makeRun(join(root, "done"), {
    steps: 100,
    files: { "summary.json": '{"step": 100}', "report.html": "<p>the report</p>" },
  });
  await makeRun(join(root, "worse"), { steps: 40, files: { "summary.json": '{"step": 40, "diverged": true}' } });
  await makeRun(join(root, "broken"), { steps: 5, files: { "failure.json": '{"message": "no room is left"}' } });
  const superb = { kind: "stillwave superb evaluation", totalSteps: undefined, identity: { settings: { steps: 200 } } };
  const result = { decodings: [{ metric: { name: "per", value: 12.5 } }] };
  await makeRun(join(root, "all"), { record: { kind: "stillwave superb benchmark" } });
  await makeRun(join(root, "all", "pr"), {
    record: superb,
    files: {
      "result.json": JSON.stringify(result),
      "metrics/lr-1e-3.jsonl": scalarRow(10, { "train/loss": 2, "dev/score": 50 }),
    },
  });
  await makeRun(join(root, "all", "pr", "head"));
  await makeRun(join(root, "hubert"), { record: { kind: "pretraining" } });
  await makeRun(join(root, "hubert", "iteration-1"), { steps: 10, record: { recipe: { number: 1, iteration: {} } } });
  await makeRun(join(root, "digits"), {
    steps: 10,
    record: { kind: "finetuning", totalSteps: undefined, facts: { totalSteps: 50 } },
  });
}

test("every kind of run has its state, progress and result", async () => {
  await makeAll();
  const runs = await new RunScanner(root).scan();
  const told = Object.fromEntries(
    [...runs].map(([id, { kind, state, step, total, score }]) => [id, [kind, state, step, total, score]]),
  );
  expect(told).toEqual({
    running: ["distill", "running", 20, 100, "validation 1.255"],
    stopped: ["distill", "interrupted", 30, 100, "validation 1.211"],
    done: ["distill", "done", 100, 100, "validation 0.9565"],
    worse: ["distill", "diverged", 40, 100, "validation 1.169"],
    broken: ["distill", "failed", 5, 100, ""],
    all: ["superb all", "interrupted", null, 100, ""],
    "all/pr": ["superb", "done", 10, 200, "per 12.50"],
    hubert: ["pretrain", "interrupted", null, 100, ""],
    "hubert/iteration-1": ["pretrain", "interrupted", 10, 100, "validation 1.301"],
    digits: ["finetune", "interrupted", 10, 50, "validation 1.301"],
  });
  // a step takes 0.8 seconds
  expect(runs.get("running")).toMatchObject({
    rate: expect.closeTo(1.25),
    left: expect.closeTo(64),
    loss: trainRow(20).loss,
  });
  expect([runs.get("stopped")?.rate, runs.get("broken")?.failure]).toEqual([null, "no room is left"]);
});

test("what has not changed is the same again; a run that grows, ends or goes away is seen", async () => {
  await makeAll();
  const scanner = new RunScanner(root);
  const [first, second] = [await scanner.scan(), await scanner.scan()];
  for (const [id, run] of first) expect(second.get(id)).toBe(run);
  addRows(join(root, "running"), 21, 30);
  appendFileSync(join(root, "running", "metrics.jsonl"), '{"kind":"train","step":31,"ep');
  rmSync(join(root, "stopped"), { recursive: true });
  const third = await scanner.scan();
  expect([third.get("running")?.step, third.has("stopped"), third.get("done")]).toEqual([30, false, first.get("done")]);
  rmSync(join(root, "running", "run.lock"));
  expect((await scanner.scan()).get("running")?.state).toBe("interrupted");
});

test("a thousand runs are listed in seconds", async () => {
  for (let i = 0; i < 1000; i++) await makeRun(join(root, `${i % 20}`, `run-${i}`), { steps: 2 });
  const scanner = new RunScanner(root);
  const began = performance.now();
  expect((await scanner.scan()).size).toBe(1000);
  expect(performance.now() - began).toBeLessThan(20_000);
}, 60_000);

test("curves follow a file that grows, that a resume cuts, and that is gone; half a line waits for its end", async () => {
  const folder = join(root, "run");
  await makeRun(folder, { steps: 3 });
  const store = new CurveStore();
  const steps = async () =>
    (await store.curves(folder, "loss/total", 0)).lines.flatMap(({ points }) => points.map(([step]) => step));
  expect(await steps()).toEqual([1, 2, 3]);
  const line = `${JSON.stringify(trainRow(4))}\n`;
  appendFileSync(join(folder, "metrics.jsonl"), line.slice(0, 50));
  expect(await steps()).toEqual([1, 2, 3]);
  appendFileSync(join(folder, "metrics.jsonl"), line.slice(50));
  expect(await steps()).toEqual([1, 2, 3, 4]);
  writeFileSync(join(folder, "metrics.jsonl"), `${JSON.stringify(trainRow(1))}\nno row\n`);
  expect(await steps()).toEqual([1]);
  expect(await store.names(folder)).toContain("optim/learning_rate");
  const smoothed = await store.curves(folder, "loss/total", 5);
  expect(smoothed.lines[0].smoothed).toHaveLength(1);
  rmSync(folder, { recursive: true });
  expect(await steps()).toEqual([]);
});

test("whatever a line holds, it is a row or none", () => {
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (line) => void rowOfLine(line)));
});

/** The status and text of a path that is sent as it stands. */
function get(url: string, path: string, headers: Record<string, string> = {}): Promise<[number, string]> {
  const { hostname, port } = new URL(url);
  return new Promise((done, fail) => {
    request({ hostname, port, path, headers }, (response) => {
      let text = "";
      response.on("data", (bytes) => {
        text += bytes;
      });
      response.on("end", () => done([response.statusCode ?? 0, text]));
    })
      .on("error", fail)
      .end();
  });
}

test("reports of listed runs are served, and nothing else of the disk", async () => {
  await makeAll();
  const outside = mkdtempSync(join(tmpdir(), "stillwave-outside-"));
  await makeRun(outside, { files: { "report.html": "secret" } });
  await makeRun(join(root, "linked"));
  symlinkSync(join(outside, "report.html"), join(root, "linked", "report.html"));
  symlinkSync(outside, join(root, "folder-link"));
  const { url, close } = await openDashboard({ root, host: "127.0.0.1", port: 0 });
  try {
    expect(await get(url, "/report?run=done")).toEqual([200, "<p>the report</p>"]);
    const refused = [
      `/report?run=${encodeURIComponent(`../${outside.split("/").at(-1)}`)}`,
      "/report?run=linked",
      "/report?run=folder-link",
      "/report?run=done/../done",
      "/report?run=..%2f..%2fetc",
      "/../../etc/passwd",
      "/code/../../package.json",
      "/code/%2e%2e/%2e%2e/package.json",
      "/code/cli/main.js",
      "/report",
    ];
    for (const path of refused) expect([path, (await get(url, path))[0]]).toEqual([path, 404]);
    // a name of elsewhere that means this machine
    expect((await get(url, "/", { host: "evil.example" }))[0]).toBe(403);
    expect((await get(url, "/"))[1]).toContain("<h1>");
  } finally {
    await close();
    rmSync(outside, { recursive: true });
  }
  await expect(openDashboard({ root: join(root, "nothing"), host: "127.0.0.1", port: 0 })).rejects.toThrow(
    /nothing: no such folder/,
  );
});
