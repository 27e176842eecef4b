// Finds a Python that has PyTorch and runs a script in it; tests that need one skip with a printed reason.
import { spawnSync } from "node:child_process";

const candidates = ["python3", "/usr/bin/python3"];

/** Command of a Python with PyTorch, or undefined after saying so. */
export function findTorch(): string | undefined {
  for (const python of candidates) {
    // PyTorch's OpenBLAS threads would fight with the other test processes
    if (spawnSync(python, ["-c", "import torch"], { timeout: 30_000 }).status === 0) return python;
  }
  console.warn("skipped: no python3 with PyTorch (Debian: python3-torch)");
  return undefined;
}

/** Runs `script` with `input` as JSON on its standard input; returns the JSON it prints. */
export function runTorch(python: string, script: string, input: unknown): unknown {
  const run = spawnSync(python, ["-c", script], {
    input: JSON.stringify(input),
    encoding: "utf8",
    maxBuffer: 2 ** 28,
    env: { ...process.env, OMP_NUM_THREADS: "1" },
  });
  if (run.status !== 0) throw new Error(`python failed: ${run.stderr}`);
  return JSON.parse(run.stdout);
}
