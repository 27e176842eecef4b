// stillwave superb compare: several evaluation runs side by side, on the terminal and as an HTML page.
import type { Command } from "commander";
import { countingNumber, wholeNumber } from "../numbers.ts";
import type { Output } from "../output.ts";
import { printTables } from "./print.ts";

interface Options {
  readonly out?: string;
  readonly seed: number;
  readonly draws: number;
  readonly json?: boolean;
}

export function compareVerb(group: Command, output: Output, finish: (code: number) => void): void {
  group
    .command("compare")
    .description("compare evaluation runs: metrics, significance of differences, scores over tasks")
    .argument("<run...>", "folders of evaluation runs")
    .option("--out <file.html>", "write the comparison as an HTML page too")
    .option("--seed <n>", "seed of the bootstrap", wholeNumber, 0)
    .option("--draws <n>", "bootstrap draws behind every interval", countingNumber, 10_000)
    .option("--json", "print the result as JSON")
    .addHelpText(
      "after",
      "\nExample:\n  $ stillwave superb compare runs/pr-hubert runs/pr-armhubert --out compare.html",
    )
    .action(async (folders: readonly string[], { out, seed, draws, json }: Options) => {
      const { comparisonTables } = await import("../../report/comparison/tables.ts");
      const { compareEvaluations } = await import("../../report/results/compare.ts");
      const { readRuns } = await import("../../report/results/rescore.ts");
      const runs = await readRuns(folders);
      const comparison = compareEvaluations(runs, { seed, draws });
      if (out !== undefined) {
        const { writeFileAtomic } = await import("../../files.ts");
        const { writeComparisonReport } = await import("../../report/comparison/page.ts");
        await writeFileAtomic(out, writeComparisonReport(runs, comparison));
      }
      if (json) output.json({ ...comparison, ...(out !== undefined && { page: out }) });
      else {
        printTables(comparisonTables(comparison), output);
        if (out !== undefined) output.print(`\n${out}`);
      }
      finish(0);
    });
}
