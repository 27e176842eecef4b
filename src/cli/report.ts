// stillwave report: writes a run's HTML report, also at the end of a run.
import type { Command } from "commander";
import { StillwaveError } from "../errors.ts";
import { printable } from "../log/format.ts";
import { threadsOption } from "./flags.ts";
import type { Output } from "./output.ts";

export function reportVerb(program: Command, output: Output, finish: (code: number) => void): void {
  program
    .command("report")
    .description("write the HTML report of a run")
    .argument("<run>", "folder of the run")
    .addOption(threadsOption())
    .option("--json", "print the result as JSON")
    .addHelpText("after", "\nExample:\n  $ stillwave report runs/quickstart")
    .action(async (run: string, options: { readonly json?: boolean; readonly threads?: number }) => {
      const report = await reportOf(run, options.threads);
      for (const note of report.notes) output.note(note);
      if (options.json) output.json(report);
      else output.print(printable(report.path));
      finish(0);
    });
}

/** The report of a run of whatever kind its run.json says. */
async function reportOf(folder: string, threads?: number) {
  const { runKindOf } = await import("../report/results/kind.ts");
  const kind = await runKindOf(folder);
  if (kind === "pre-training") {
    const { reportPretraining } = await import("../report/pretraining/build.ts");
    return { path: await reportPretraining(folder), notes: [] };
  }
  // what a fine-tuning recognises is scored as an evaluation is
  if (kind === "evaluation" || kind === "fine-tuning") {
    const { reportEvaluation } = await import("../report/evaluation/page.ts");
    return { ...(await reportEvaluation(folder)), notes: [] };
  }
  const { reportRun } = await import("../report/distillation/build.ts");
  return reportRun(folder, threads);
}

/** The report of a finished run. The models are saved already: what goes wrong here is said, but does not undo that. */
export async function writeReport(folder: string, json: boolean, output: Output): Promise<void> {
  try {
    const { path, notes } = await reportOf(folder);
    if (json) output.jsonLine({ kind: "report", path, notes });
    else output.print(`report           ${printable(path)}`);
    for (const note of notes) output.note(note);
  } catch (error) {
    if (!(error instanceof StillwaveError)) throw error;
    output.error(`the run is complete, but its report could not be written: ${error.message}`);
  }
}
