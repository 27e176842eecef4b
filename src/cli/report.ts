// stillwave report: writes a run's HTML report.
import type { Command } from "commander";
import type { Output } from "./output.ts";

interface ReportModule {
  /** Writes the report of a run folder and returns its path. */
  reportRun(folder: string): Promise<string>;
}

export function reportVerb(program: Command, output: Output, finish: (code: number) => void): void {
  program
    .command("report")
    .description("write the HTML report of a run")
    .argument("<run>", "folder of the run")
    .option("--json", "print the result as JSON")
    .addHelpText("after", "\nExample:\n  $ stillwave report runs/quickstart")
    .action(async (run: string, options: { readonly json?: boolean }) => {
      const { reportRun }: ReportModule = await import("../distill/report.ts" as string);
      const report = await reportRun(run);
      if (options.json) output.json({ report });
      else output.print(report);
      finish(0);
    });
}
