// A pre-training's run folder as an HTML report: losses, guesses and units of every iteration.
import { readFile } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { DISTILL_FILES } from "../../distill/record.ts";
import { StillwaveError } from "../../errors.ts";
import { writeFileAtomic } from "../../files.ts";
import { readMetrics } from "../../log/metrics.ts";
import { iterationForm } from "../../pretrain/iteration.ts";
import { parsePretrainRecipe } from "../../pretrain/recipe/read.ts";
import { iterationFolder, PRETRAIN_FILES, PRETRAINING, UNITS_FOLDER } from "../../pretrain/record.ts";
import { RECORD_NAME, readRunRecord } from "../../training/run-folder.ts";
import { readSummary, unitPath } from "../../units/making/settings.ts";
import { type IterationReport, writePretrainReport } from "./page.ts";

/** Writes `report.html` into the run folder of a pre-training, finished or not. Resolves to its path. */
export async function reportPretraining(folder: string): Promise<string> {
  const record = await readRunRecord(folder, PRETRAINING);
  if (!record) throw new StillwaveError(`${folder}: not a run folder (no ${RECORD_NAME}); give the folder of a run`);
  const recipePath = join(folder, PRETRAIN_FILES.recipe);
  const text = await readFile(recipePath, "utf8").catch((error: NodeJS.ErrnoException) => {
    throw new StillwaveError(`${recipePath}: cannot be read (${error.code ?? error.message})`);
  });
  const recipe = parsePretrainRecipe(text, recipePath);
  const iterations: IterationReport[] = [];
  for (const [i] of recipe.iterations.entries()) {
    const own = join(folder, iterationFolder(i + 1));
    const units = await readSummary(unitPath({ folder: join(own, UNITS_FOLDER) }, "summary"));
    if (!units) break;
    const run = await readRunRecord(own, iterationForm.kind);
    const metrics = run ? await readMetrics(join(own, DISTILL_FILES.metrics)) : [];
    iterations.push({ units, metrics, run });
  }
  const page = writePretrainReport({ title: basename(resolve(folder)), recipe, text, record, iterations });
  const path = join(folder, "report.html");
  await writeFileAtomic(path, page);
  return path;
}
