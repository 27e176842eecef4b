// Real processes killed by real signals: SIGKILL at random moments, SIGINT and SIGTERM with a checkpoint.
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { isRunState } from "../../src/distill/state.ts";
import { findLastCheckpoint } from "../../src/training/checkpoints.ts";
import { typescriptOptions } from "../built/built.ts";

const script = fileURLToPath(new URL("./child-run.ts", import.meta.url));
const totalSteps = 40;
let root: string;
let expected: string;

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly output: string;
}

/** Runs the child; `act` gets it once it has printed its `after`-th step. */
async function child(outDir: string, resume: boolean, after = -1, act?: (child: ChildProcess) => void): Promise<Ended> {
  const args = [
    ...typescriptOptions(),
    script,
    outDir,
    String(totalSteps),
    String(after < 0 ? totalSteps : after - 1),
    ...(resume ? ["--resume"] : []),
  ];
  const running = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  let seen = 0;
  const read = (chunk: Buffer) => {
    output += chunk.toString();
    const count = output.match(/^step \d+$/gm)?.length ?? 0;
    if (seen < after && count >= after) act?.(running);
    seen = count;
  };
  running.stdout!.on("data", read);
  running.stderr!.on("data", (chunk: Buffer) => {
    output += chunk.toString();
  });
  return new Promise((resolve) => running.on("close", (code, signal) => resolve({ code, signal, output })));
}

const hash = (outDir: string): string => JSON.parse(readFileSync(join(outDir, "summary.json"), "utf8")).weightsSha256;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "stillwave-kill-"));
  const outDir = join(root, "whole");
  const ended = await child(outDir, false);
  expect(ended).toMatchObject({ code: 0 });
  expected = hash(outDir);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

test("SIGKILL at several moments, then resume: identical weights", async () => {
  const outDir = join(root, "killed");
  let kills = 0;
  for (const [after, delay] of [
    [1, 0],
    [5, 37],
    [7, 90],
    [3, 81],
  ] as const) {
    const ended = await child(outDir, kills > 0, after, (running) => {
      wait(delay).then(() => running.kill("SIGKILL"));
    });
    expect(ended, ended.output).toMatchObject({ signal: "SIGKILL" });
    kills++;
    expect(existsSync(join(outDir, "run.lock"))).toBe(true);
  }
  const ended = await child(outDir, true);
  expect(ended, ended.output).toMatchObject({ code: 0 });
  expect(hash(outDir)).toBe(expected);
});

test.each([
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const)("%s: a checkpoint, how to resume, exit code %d", async (signal, code) => {
  const outDir = join(root, signal);
  const ended = await child(outDir, false, 4, (running) => running.kill(signal));
  expect(ended, ended.output).toMatchObject({ code, signal: null });
  expect(ended.output).toMatch(/--resume/);
  const printed = [...ended.output.matchAll(/^step (\d+)$/gm)].map(([, step]) => Number(step));
  const { found, notes } = await findLastCheckpoint(join(outDir, "checkpoints"), isRunState);
  expect(notes).toEqual([]);
  expect(found!.state.step).toBe(printed[printed.length - 1]);
  expect(existsSync(join(outDir, "run.lock"))).toBe(false);
  expect((await child(outDir, true)).code).toBe(0);
  expect(hash(outDir)).toBe(expected);
});

test("a second Ctrl-C ends the process at once and harms nothing", async () => {
  const outDir = join(root, "twice");
  const ended = await child(outDir, false, 4, (running) => {
    running.kill("SIGINT");
    wait(5).then(() => running.kill("SIGINT"));
  });
  expect(ended.code).toBe(130);
  expect((await child(outDir, true)).code).toBe(0);
  expect(hash(outDir)).toBe(expected);
});
