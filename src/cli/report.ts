// stillwave report: writes a run's HTML report.
import type { Command } from "commander";
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
      const { reportRun } = await import("../report/distillation/build.ts");
      const report = await reportRun(run, options.threads);
      for (const note of report.notes) output.note(note);
      if (options.json) output.json(report);
      else output.print(printable(report.path));
      finish(0);
    });
}
