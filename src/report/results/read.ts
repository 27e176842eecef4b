// Reads the folder of an evaluation run, whatever lies in it: result.json and the predictions of test and dev.
import { stat } from "node:fs/promises";
import { isAbsolute, join, relative, resolve, sep } from "node:path";
import { StillwaveError } from "../../errors.ts";
import { type Prediction, readPredictions } from "../../metrics/predictions.ts";
import { EVALUATION_FILES } from "../../superb/run/record.ts";
import { type EvaluationResult, readResult } from "../../superb/run/result.ts";

export const RESULT_NAME = EVALUATION_FILES.result;

export interface Evaluation {
  /** As given. */
  readonly folder: string;
  readonly result: EvaluationResult;
  readonly test: readonly Prediction[];
  /** Left out where the folder no longer holds them, or there is no dev split. */
  readonly dev?: readonly Prediction[];
}

/**
 * Reads and checks a run folder.
 * @throws StillwaveError naming the file and what to do, for anything missing, truncated, foreign or malformed.
 */
export async function readEvaluation(folder: string): Promise<Evaluation> {
  const result = await readResult(folder);
  const test = await readPredictions(fileOf(folder, result.predictions.test, "predictions.test"));
  const { dev } = result.predictions;
  const devFile = dev === null ? undefined : fileOf(folder, dev, "predictions.dev");
  const hasDev = devFile !== undefined && (await stat(devFile).catch(() => undefined)) !== undefined;
  return { folder, result, test, dev: hasDev ? await readPredictions(devFile) : undefined };
}

/**
 * The path of a file that result.json names.
 * @throws StillwaveError if the name leads out of the run folder.
 */
export function fileOf(folder: string, name: string, field: string): string {
  const inside = relative(resolve(folder), resolve(folder, name));
  const isOutside = inside === "" || inside.split(sep)[0] === ".." || isAbsolute(inside);
  if (isOutside || isAbsolute(name) || name.includes("\0")) {
    throw new StillwaveError(
      `${join(folder, RESULT_NAME)}: ${field}: ${JSON.stringify(name.slice(0, 200))} is no file inside the run folder; a name relative to it is expected`,
    );
  }
  return join(folder, inside);
}
