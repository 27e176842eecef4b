// Real processes killed by real signals while they train and while they test: what comes out is what an uninterrupted run gives.
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
let expected: { weights: string; predictions: string; metric: unknown };

/** Runs the child; `act` gets it when it has printed a line that `at` matches. */
function child(folder: string, resume: boolean, at?: RegExp, act?: (child: ChildProcess) => void) {
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
  return new Promise<{ code: number | null; signal: NodeJS.Signals | null; output: string }>((resolve) =>
    running.on("close", (code, signal) => resolve({ code, signal, output })),
  );
}

const folderOf = (name: string) => mkdtempSync(join(root, `${name}-`));
function outcome(folder: string) {
  const run = (name: string) => readFileSync(join(folder, "run", name), "utf8");
  const predictions = run("predictions/test.jsonl").replaceAll(folder, "");
  return {
    weights: JSON.parse(run("summary.json")).weightsSha256,
    predictions,
    metric: JSON.parse(run("result.json")).metric,
  };
}

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "stillwave-finetune-kill-"));
  const folder = folderOf("whole");
  const ended = await child(folder, false);
  expect(ended, ended.output).toMatchObject({ code: 0 });
  expected = outcome(folder);
}, patient);
afterAll(() => rmSync(root, { recursive: true, force: true }));

test(
  "SIGKILL while the head learns alone, after it, and in the test: identical weights and predictions",
  async () => {
    const folder = folderOf("killed");
    let begun = false;
    for (const place of [/step 1/, /step 5/, /testing/]) {
      const ended = await child(folder, begun, place, (running) => running.kill("SIGKILL"));
      expect(ended.signal, ended.output).toBe("SIGKILL");
      begun = true;
    }
    const ended = await child(folder, true);
    expect(ended, ended.output).toMatchObject({ code: 0 });
    expect(outcome(folder)).toEqual(expected);
  },
  patient,
);

test(
  "Ctrl-C: exit code 130, and the rest of the way by --resume",
  async () => {
    const folder = folderOf("stopped");
    const ended = await child(folder, false, /step 3/, (running) => running.kill("SIGINT"));
    expect(ended, ended.output).toMatchObject({ code: 130, signal: null });
    expect(ended.output).toMatch(/interrupted \d/);
    const rest = await child(folder, true);
    expect(rest, rest.output).toMatchObject({ code: 0 });
    expect(outcome(folder)).toEqual(expected);
  },
  patient,
);
