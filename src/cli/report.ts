// stillwave report: writes a run's HTML report.
import type { Command } from "commander";
import type { Output } from "./output.ts";

export function reportVerb(program: Command, output: Output, finish: (code: number) => void): void {
  program
    .command("report")
    .description("write the HTML report of a run")
    .argument("<run>", "folder of the run")
    .option("--json", "print the result as JSON")
    .addHelpText("after", "\nExample:\n  $ stillwave report runs/quickstart")
    .action(async (run: string, options: { json?: boolean }) => {
      finish(0);
    });
}
