// Several run folders, read and checked, for whatever holds them against each other.
import { resolve } from "node:path";
import { UsageError } from "../../errors.ts";
import { type Evaluation, readEvaluation } from "../evaluation/read.ts";
import { rescore } from "../evaluation/rescore.ts";

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
