// stillwave superb score: the benchmark's scores over tasks, of the upstreams of evaluation runs and of published results.
import type { Command } from "commander";
import { collect } from "../collect.ts";
import { printTables } from "../compare/print.ts";
import type { Output } from "../output.ts";

interface Options {
  readonly result?: readonly string[];
  readonly json?: boolean;
}

export function scoreVerb(group: Command, output: Output, finish: (code: number) => void): void {
  group
    .command("score")
    .description("scores over tasks (overall, superb_s): one row for each upstream")
    .argument("[run...]", "folders of evaluation runs; those of one upstream make one row")
    .option(
      "--result <file.json>",
      'a row of published results, such as {"name": "HuBERT Base", "per": 5.41} (repeatable)',
      collect,
    )
    .option("--json", "print the result as JSON")
    .addHelpText(
      "after",
      "\nExample:\n  $ stillwave superb score runs/pr-armhubert runs/ks-armhubert --result hubert.json",
    )
    .action(async (folders: readonly string[], options: Options) => {
      const { scoreTables } = await import("../../report/comparison/tables.ts");
      const { scoreRuns } = await import("../../report/results/score.ts");
      const scores = await scoreRuns(folders, options.result);
      if (options.json) output.json(scores);
      else printTables(scoreTables(scores.upstreams), output);
      finish(0);
    });
}
