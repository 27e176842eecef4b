// Writes the HTML report of an evaluation into its run folder.
import { join } from "node:path";
import { writeFileAtomic } from "../../files.ts";
import { writeEvaluationReport } from "./evaluation.ts";
import { readEvaluation } from "./read.ts";
import { rescore } from "./rescore.ts";

export interface WrittenEvaluationReport {
  /** The HTML file. */
  readonly path: string;
}

/**
 * Reads a run folder, checks its figures against the predictions, and writes `report.html` into it.
 * @throws StillwaveError for a folder that cannot be read, or figures that the predictions do not give.
 */
export async function reportEvaluation(folder: string): Promise<WrittenEvaluationReport> {
  const evaluation = await readEvaluation(folder);
  await rescore(evaluation);
  const path = join(folder, "report.html");
  await writeFileAtomic(path, writeEvaluationReport(evaluation));
  return { path };
}
