// Finds a Python that has PyTorch and runs a script in it; tests that need one skip with a printed reason.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/** `.ci/run` makes the first one for what Debian does not have. */
const candidates = [fileURLToPath(new URL("../../.venv/bin/python", import.meta.url)), "python3", "/usr/bin/python3"];

/** Command of a Python that has `modules`, or undefined after saying so. */
function findPython(modules: readonly string[], remedy: string): string | undefined {
  for (const python of candidates) if (hasModules(python, modules)) return python;
  console.warn(`skipped: no python3 that has ${modules.join(", ")} (${remedy})`);
  return undefined;
}

/** Whether a Python has modules, which takes 2 s less than importing PyTorch. */
export const hasModules = (python: string, modules: readonly string[]): boolean =>
  spawnSync(python, ["-c", FIND, ...modules], { timeout: 60_000 }).status === 0;

const FIND = "import sys; from importlib.util import find_spec; sys.exit(None in map(find_spec, sys.argv[1:]))";

export const findTorch = () => findPython(["torch"], "Debian: python3-torch");
export const findTransformers = () => findPython(["torch", "transformers"], ".ci/run installs them into .venv");

/** Runs `script` with `input` as JSON on its standard input; returns the JSON it prints. */
export function runTorch(python: string, script: string, input: unknown): unknown {
  const run = spawnSync(python, ["-c", script], {
    input: JSON.stringify(input),
    encoding: "utf8",
    maxBuffer: 2 ** 28,
    // PyTorch's OpenBLAS threads would fight with the other test processes
    env: { ...process.env, OMP_NUM_THREADS: "1" },
  });
  if (run.status !== 0) throw new Error(`python failed: ${run.stderr}`);
  return JSON.parse(run.stdout);
}
