// The kill test: a quickstart run, and the same run killed with SIGKILL at random moments and resumed, end with equal weights.
// Usage: npx tsx bench/kill-resume.ts [--kills 3] [--steps 240] [--folder runs/kill-test]
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    kills: { type: "string", default: "3" },
    steps: { type: "string", default: "240" },
    folder: { type: "string", default: "runs/kill-test" },
  },
});
const bin = fileURLToPath(new URL("../bin/stillwave.js", import.meta.url));

/** Runs the quickstart recipe; kills it after `killAfterMs` where given. Resolves to the milliseconds it ran. */
function run(
  out: string,
  resume: boolean,
  killAfterMs?: number,
): Promise<{ milliseconds: number; code: number | null }> {
  const args = [
    bin,
    "distill",
    "quickstart",
    "--set",
    `run.steps=${values.steps}`,
    "--set",
    "run.checkpointEverySteps=20",
    "--out",
    out,
  ];
  const start = performance.now();
  const child = spawn(process.execPath, resume ? [...args, "--resume"] : args, { stdio: "ignore" });
  const timer = killAfterMs === undefined ? undefined : setTimeout(() => child.kill("SIGKILL"), killAfterMs);
  return new Promise((resolve) => {
    child.on("exit", (code) => {
      clearTimeout(timer);
      resolve({ milliseconds: performance.now() - start, code });
    });
  });
}

const hash = async (out: string) =>
  createHash("sha256")
    .update(await readFile(join(out, "last", "model.safetensors")))
    .digest("hex");

const [whole, killed] = [join(values.folder, "whole"), join(values.folder, "killed")];
await rm(values.folder, { recursive: true, force: true });
const first = await run(whole, false);
if (first.code !== 0) throw new Error(`the uninterrupted run ended with ${first.code}`);
const kills = Number(values.kills);
let done = 0;
for (let i = 0; i < kills; i++) {
  const after = 3000 + Math.random() * (first.milliseconds / kills);
  const { milliseconds, code } = await run(killed, i > 0, after);
  console.log(`kill ${i + 1}: after ${(milliseconds / 1000).toFixed(1)} s${code === 0 ? " (it had finished)" : ""}`);
  if (code === null) done++;
}
const last = await run(killed, true);
if (last.code !== 0) throw new Error(`the resumed run ended with ${last.code}`);
const [a, b] = [await hash(whole), await hash(killed)];
console.log(`uninterrupted ${a}\nkilled ${done} x ${b}\n${a === b ? "identical" : "DIFFERENT"}`);
process.exitCode = a === b && done > 0 ? 0 : 1;
