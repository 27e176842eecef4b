// Writes the HTML report of an evaluation into its run folder.
import { join } from "node:path";
import { writeFileAtomic } from "../../files.ts";
import { readEvaluation } from "../results/read.ts";
import { rescore } from "../results/rescore.ts";
import { writeEvaluationReport } from "./page.ts";

/**
 * Reads a run folder, checks its figures against the predictions, and writes `report.html` into it; returns its path.
 * @throws StillwaveError for a folder that cannot be read, or figures that the predictions do not give.
 */
export async function reportEvaluation(folder: string): Promise<{ readonly path: string }> {
  const evaluation = await readEvaluation(folder);
  await rescore(evaluation);
  const path = join(folder, "report.html");
  await writeFileAtomic(path, writeEvaluationReport(evaluation));
  return { path };
}
