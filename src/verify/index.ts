// Recorded cases, replayed: which kind a folder is, and the verdict.
import { join } from "node:path";
import { exists } from "../checkpoint/read/folder.ts";
import { StillwaveError, UsageError } from "../errors.ts";
import { createRuntime } from "../runtime/node/index.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { verifyCheckpoint } from "./checkpoint.ts";
import type { Difference } from "./compare.ts";
import { findGolden, verifyGolden } from "./golden.ts";
import { verifyStep } from "./step/step.ts";

export type { Difference } from "./compare.ts";

export interface CaseResult {
  readonly folder: string;
  /** null where the case cannot be read. */
  readonly kind: "distillation step" | "checkpoint" | "published output" | null;
  readonly passed: boolean;
  readonly differences: readonly Difference[];
  /** Why the case cannot be read or replayed; it has failed. */
  readonly error?: string;
  /** Why the case could not be replayed here: what it needs and how to get it. Neither passed nor failed. */
  readonly skipped?: string;
  readonly notes?: readonly string[];
}

interface VerifyOptions {
  /** The model of cases that record a published model's output: path or Hugging Face id. */
  readonly model?: string;
}

/**
 * Replays one case folder: `data.safetensors` is a distillation step, `expected.safetensors` a checkpoint,
 * `*.L<layer>.npy` beside an audio file a published model's output.
 */
export async function verifyCase(folder: string, runtime: Runtime, options: VerifyOptions = {}): Promise<CaseResult> {
  const [step, checkpoint] = await Promise.all(
    ["data.safetensors", "expected.safetensors"].map((name) => exists(join(folder, name))),
  );
  const golden = step || checkpoint ? undefined : await findGolden(folder);
  if (golden) {
    const result = await verifyGolden(golden, runtime, options.model);
    const passed = result.skipped === undefined && result.differences.every((difference) => difference.passed);
    return { folder, kind: "published output", passed, ...result };
  }
  if (!step && !checkpoint)
    throw new StillwaveError(
      `${folder}: no recorded case; expected data.safetensors (a distillation step), expected.safetensors (a checkpoint) ` +
        "or *.L<layer>.npy with an audio file (a published output)",
    );
  const replay = step ? verifyStep(folder, runtime) : verifyCheckpoint(folder, runtime);
  const differences = await replay.catch((error: unknown) => {
    throw caseError(folder, error);
  });
  if (differences.length === 0) throw new StillwaveError(`${folder}: the case records nothing that can be compared`);
  const passed = differences.every((difference) => difference.passed);
  return { folder, kind: step ? "distillation step" : "checkpoint", passed, differences };
}

/** Whatever a user's error is about here, it is in the case: its folder is named, and nobody misused the command. */
function caseError(folder: string, error: unknown): unknown {
  if (!(error instanceof StillwaveError)) return error;
  const { message } = error;
  return new StillwaveError(message.includes(folder) ? message : `${folder}: ${message}`, { cause: error });
}

/** Replays case folders in order. A case that cannot be read is a result too, so that the others are reported. */
export async function verifyCases(
  folders: readonly string[],
  runtime?: Runtime,
  options: VerifyOptions = {},
): Promise<CaseResult[]> {
  const isGolden = (folder: string) => findGolden(folder).then(Boolean, () => true);
  if (options.model !== undefined && !(await Promise.all(folders.map(isGolden))).some(Boolean))
    throw new UsageError("model: none of these cases is a published output; the others bring their models with them");
  const engine = runtime ?? (await createRuntime());
  const results: CaseResult[] = [];
  for (const folder of folders)
    try {
      results.push(await verifyCase(folder, engine, options));
    } catch (error) {
      results.push({ folder, kind: null, passed: false, differences: [], error: unreadable(folder, error) });
    }
  return results;
}

/** What is wrong with a case; whatever else went wrong is thrown on. */
function unreadable(folder: string, error: unknown): string {
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (code !== undefined && syscall !== undefined) return `${folder}: cannot be read (${(error as Error).message})`;
  if (!(error instanceof StillwaveError)) throw error;
  return error.message;
}
