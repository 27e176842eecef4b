// Recorded cases, replayed: which kind a folder is, and the verdict.
import { access } from "node:fs/promises";
import { join } from "node:path";
import { StillwaveError } from "../errors.ts";
import { createRuntime } from "../runtime/node/index.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { verifyCheckpoint } from "./checkpoint.ts";
import type { Difference } from "./compare.ts";
import { verifyDistillation } from "./distillation.ts";

export type { Difference } from "./compare.ts";

export interface CaseResult {
  readonly folder: string;
  readonly kind: "distillation step" | "checkpoint";
  readonly passed: boolean;
  readonly differences: readonly Difference[];
}

const exists = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  );

/** Replays one case folder: `data.safetensors` is a distillation step, `expected.safetensors` a checkpoint. */
export async function verifyCase(folder: string, runtime: Runtime): Promise<CaseResult> {
  const [step, checkpoint] = await Promise.all(
    ["data.safetensors", "expected.safetensors"].map((name) => exists(join(folder, name))),
  );
  if (!step && !checkpoint)
    throw new StillwaveError(
      `${folder}: no recorded case; expected data.safetensors (a distillation step) or expected.safetensors (a checkpoint)`,
    );
  const differences = step ? await verifyDistillation(folder, runtime) : await verifyCheckpoint(folder, runtime);
  if (differences.length === 0) throw new StillwaveError(`${folder}: the case records nothing that can be compared`);
  const passed = differences.every((difference) => difference.passed);
  return { folder, kind: step ? "distillation step" : "checkpoint", passed, differences };
}

/** Replays case folders in order. */
export async function verifyCases(folders: readonly string[], runtime?: Runtime): Promise<CaseResult[]> {
  const engine = runtime ?? (await createRuntime());
  const results: CaseResult[] = [];
  for (const folder of folders) results.push(await verifyCase(folder, engine));
  return results;
}
