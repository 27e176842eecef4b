// Every metric of a run computed again from its prediction files, and held against what result.json says.
import { join, resolve } from "node:path";
import { StillwaveError, UsageError } from "../../errors.ts";
import { type Prediction, readPredictions } from "../../metrics/predictions.ts";
import { scorePredictions } from "../../superb/measures/index.ts";
import type { Scoring } from "../../superb/measures/measure.types.ts";
import { type Evaluation, fileOf, RESULT_NAME, readEvaluation } from "./read.ts";

export interface Rescored {
  /** The headline. */
  readonly test: Scoring;
  /** Left out where the folder holds no predictions of dev. */
  readonly dev?: Scoring;
  /** In the order of result.json. */
  readonly decodings: readonly { readonly name: string; readonly value: number }[];
}

interface Scored {
  readonly file: string;
  readonly rows: number;
  /** Rows that result.json makes one expect. */
  readonly expected: number;
  readonly scoring: Scoring;
}

/** Both sides are float64 sums of the same whole numbers; anything above rounding is another result. */
const TOLERANCE = 1e-9;

/**
 * Computes the headline, the dev value and the metric of every decoding from the predictions.
 * @throws StillwaveError where one differs from result.json's, naming both figures, or a decoding's file is missing.
 */
export async function rescore({ folder, result, test, dev }: Evaluation): Promise<Rescored> {
  const { unit, data, predictions } = result;
  const score = (file: string, rows: readonly Prediction[], expected: number): Scored => ({
    file,
    rows: rows.length,
    expected,
    scoring: scorePredictions(rows, unit),
  });
  const check = (place: string, said: number, { file, rows, expected, scoring }: Scored): Scoring => {
    if (Math.abs(said - scoring.value) <= TOLERANCE * Math.max(1, Math.abs(said))) return scoring;
    const hint =
      rows === expected ? "" : `, from ${rows} predictions where ${expected} utterances are said to be there`;
    throw new StillwaveError(
      `${join(folder, RESULT_NAME)}: ${place} is ${said}, but ${file} gives ${scoring.value}${hint}; one of the two files was changed or is not of this run: delete ${RESULT_NAME} and resume the evaluation (--resume), which writes both anew`,
    );
  };
  const { utterances } = data.test;
  const headline = score(predictions.test, test, utterances);
  check("metric.value", result.metric.value, headline);
  const decodings: Rescored["decodings"][number][] = [];
  for (const [i, { name, metric, predictions: file }] of result.decodings.entries()) {
    const place = `decodings[${i}]`;
    const scored =
      file === predictions.test
        ? headline
        : score(file, await readPredictions(fileOf(folder, file, `${place}.predictions`)), utterances);
    decodings.push({ name, value: check(`${place}.metric.value`, metric.value, scored).value });
  }
  const checkDev = () => {
    if (!dev || result.dev === null || predictions.dev === null) return undefined;
    return check("dev", result.dev, score(predictions.dev, dev, data.dev.utterances));
  };
  return {
    test: headline.scoring,
    dev: checkDev(),
    decodings,
  };
}

/**
 * Reads run folders and checks their figures against their predictions.
 * @throws UsageError without a folder, or for one that is given twice; StillwaveError for one that cannot be read.
 */
export async function readRuns(folders: readonly string[]): Promise<Evaluation[]> {
  if (folders.length === 0) throw new UsageError("no runs; give the folders of evaluation runs");
  const paths = folders.map((folder) => resolve(folder));
  const twice = folders.find((_, i) => paths.indexOf(paths[i]) !== i);
  if (twice !== undefined) throw new UsageError(`${twice}: given twice`);
  const runs: Evaluation[] = [];
  for (const folder of folders) {
    const run = await readEvaluation(folder);
    await rescore(run);
    runs.push(run);
  }
  return runs;
}
