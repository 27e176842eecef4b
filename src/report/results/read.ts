// Reads the folder of an evaluation run, whatever lies in it: result.json and the predictions of test and dev.
import { readFile, stat } from "node:fs/promises";
import { isAbsolute, join, relative, resolve, sep } from "node:path";
import { StillwaveError } from "../../errors.ts";
import { type Prediction, readPredictions } from "../../metrics/predictions.ts";
import type { EvaluationResult } from "../../superb/run/result.types.ts";
import { parseResult } from "./schema.ts";

export const RESULT_NAME = "result.json";

/** A result with a curve point every step of the benchmark's longest training stays far below. */
const MAX_BYTES = 128 * 2 ** 20;

export interface Evaluation {
  /** As given. */
  readonly folder: string;
  readonly result: EvaluationResult;
  readonly test: readonly Prediction[];
  /** Left out where the folder no longer holds them. */
  readonly dev?: readonly Prediction[];
}

/**
 * Reads and checks a run folder.
 * @throws StillwaveError naming the file and what to do, for anything missing, truncated, foreign or malformed.
 */
export async function readEvaluation(folder: string): Promise<Evaluation> {
  const result = await readResult(folder);
  const test = await readPredictions(fileOf(folder, result.predictions.test, "predictions.test"));
  const devFile = fileOf(folder, result.predictions.dev, "predictions.dev");
  const hasDev = (await stat(devFile).catch(() => undefined)) !== undefined;
  return { folder, result, test, dev: hasDev ? await readPredictions(devFile) : undefined };
}

async function readResult(folder: string): Promise<EvaluationResult> {
  const info = await stat(folder).catch(() => undefined);
  if (!info?.isDirectory()) {
    throw new StillwaveError(`${folder}: ${info ? "a file" : "no such folder"}; give the folder of an evaluation run`);
  }
  const file = join(folder, RESULT_NAME);
  const entry = await stat(file).catch(() => undefined);
  if (!entry?.isFile()) {
    throw new StillwaveError(
      `${folder}: holds no ${RESULT_NAME}, so it is no evaluation run or one that has not finished; let it finish, or give another folder`,
    );
  }
  if (entry.size > MAX_BYTES) throw new StillwaveError(`${file}: ${entry.size} bytes are too many for a result`);
  const content = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    throw new StillwaveError(`${file}: cannot be read (${error.code ?? error.message})`);
  });
  let value: unknown;
  try {
    value = JSON.parse(content);
  } catch (error) {
    const reason = content.trim() === "" ? "the file is empty" : (error as Error).message.slice(0, 200);
    throw new StillwaveError(
      `${file}: not valid JSON, perhaps truncated (${reason}); copy it again, or delete it and resume the evaluation (--resume)`,
    );
  }
  return parseResult(value, file);
}

/**
 * The path of a file that result.json names.
 * @throws StillwaveError if the name leads out of the run folder.
 */
export function fileOf(folder: string, name: string, field: string): string {
  const path = resolve(folder, name);
  const inside = relative(resolve(folder), path);
  if (
    isAbsolute(name) ||
    name.includes("\0") ||
    inside === "" ||
    inside === ".." ||
    inside.startsWith(`..${sep}`) ||
    isAbsolute(inside)
  ) {
    throw new StillwaveError(
      `${join(folder, RESULT_NAME)}: ${field}: ${JSON.stringify(name.slice(0, 200))} is no file inside the run folder; a name relative to it is expected`,
    );
  }
  return join(folder, inside);
}
