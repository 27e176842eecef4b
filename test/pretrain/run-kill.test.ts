// Real processes killed by real signals, in every stage: what comes out is what an uninterrupted run gives.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { typescriptOptions } from "../built/built.ts";

const script = fileURLToPath(new URL("./child-run.ts", import.meta.url));
const patient = 300_000;
let root: string;
let expected: string;

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly output: string;
}

/** Runs the child; `act` gets it when it has printed a line that `at` matches. */
function child(folder: string, resume: boolean, at?: RegExp, act?: (child: ChildProcess) => void): Promise<Ended> {
  const args = [...typescriptOptions(), script, folder, String(resume), ...(at ? [at.source] : [])];
  const running = spawn(process.execPath, args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, STILLWAVE_SPIN: "0" },
  });
  let output = "";
  let acted = false;
  const read = (chunk: Buffer) => {
    output += chunk.toString();
    if (acted || !at?.test(output)) return;
    acted = true;
    act?.(running);
  };
  running.stdout?.on("data", read);
  running.stderr?.on("data", read);
  return new Promise((resolve) => running.on("close", (code, signal) => resolve({ code, signal, output })));
}

const folderOf = (name: string) => mkdtempSync(join(root, `${name}-`));
const summary = (folder: string) => JSON.parse(readFileSync(join(folder, "run", "summary.json"), "utf8"));

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "stillwave-pretrain-kill-"));
  const folder = folderOf("whole");
  const ended = await child(folder, false);
  expect(ended, ended.output).toMatchObject({ code: 0 });
  expected = summary(folder).weightsSha256;
}, patient);
afterAll(() => rmSync(root, { recursive: true, force: true }));

test(
  "SIGKILL in features, k-means, labels and training of both iterations: identical weights",
  async () => {
    let folder = folderOf("killed");
    const places = [
      /units 1 features/,
      /units 1 k-means/,
      /units 1 labels/,
      /step 1 [34]/,
      /units 2 \S+/,
      /step 2 [23]/,
    ];
    let [kills, begun] = [0, false];
    for (const place of places) {
      const ended = await child(folder, begun, place, (running) => running.kill("SIGKILL"));
      begun = ended.signal === "SIGKILL";
      if (begun) kills++;
      else {
        // a stage that was over before it was told of cannot be killed in: the run has ended, and the next places need another
        expect(ended, ended.output).toMatchObject({ code: 0 });
        expect(summary(folder).weightsSha256).toBe(expected);
        folder = folderOf("killed");
      }
    }
    expect(kills).toBeGreaterThan(2);
    const ended = await child(folder, begun);
    expect(ended, ended.output).toMatchObject({ code: 0 });
    expect(summary(folder).weightsSha256).toBe(expected);
  },
  patient,
);

test.each([
  ["SIGINT", 130, /step 1 3/],
  ["SIGTERM", 143, /units 2 \S+|start 2/],
] as const)(
  "%s: exit code %d, and the rest of the way by --resume",
  async (signal, code, place) => {
    const folder = folderOf(signal);
    const ended = await child(folder, false, place, (running) => running.kill(signal));
    expect(ended, ended.output).toMatchObject({ code, signal: null });
    expect(ended.output).toMatch(/interrupted \d/);
    const rest = await child(folder, true);
    expect(rest, rest.output).toMatchObject({ code: 0 });
    expect(summary(folder).weightsSha256).toBe(expected);
  },
  patient,
);
