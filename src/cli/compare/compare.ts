// stillwave compare: several runs of one kind side by side, on the terminal and as an HTML page.
import type { Command } from "commander";
import { UsageError } from "../../errors.ts";
import { countingNumber, wholeNumber } from "../numbers.ts";
import type { Output } from "../output.ts";
import { printTables } from "./print.ts";

interface Options {
  readonly out?: string;
  readonly seed?: number;
  readonly draws?: number;
  readonly json?: boolean;
}

/** What either kind of comparison comes to. */
interface Compared {
  readonly result: object;
  readonly page: () => string;
  readonly tables: Parameters<typeof printTables>[0];
}

export function compareVerb(program: Command, output: Output, finish: (code: number) => void): void {
  program
    .command("compare")
    .description("compare runs of one kind: trainings by curves and settings, evaluations by metrics and significance")
    .argument("<run...>", "folders of runs: distillations, pre-trainings, fine-tunings or evaluations")
    .option("--out <file.html>", "write the comparison as an HTML page too")
    .option("--seed <n>", "of evaluations: seed of the bootstrap (default: 0)", wholeNumber)
    .option("--draws <n>", "of evaluations: bootstrap draws behind every interval (default: 10000)", countingNumber)
    .option("--json", "print the result as JSON")
    .addHelpText(
      "after",
      [
        "",
        "Examples:",
        "  $ stillwave compare runs/quickstart runs/quickstart-reuse --out compare.html",
        "  $ stillwave compare runs/pr-hubert runs/pr-armhubert --out compare.html",
      ].join("\n"),
    )
    .action(async (folders: readonly string[], options: Options) => {
      const { result, page, tables } = await compared(folders, options);
      const { out, json } = options;
      if (out !== undefined) {
        const { writeFileAtomic } = await import("../../files.ts");
        await writeFileAtomic(out, page());
      }
      if (json) output.json({ ...result, ...(out !== undefined && { page: out }) });
      else {
        printTables(tables, output);
        if (out !== undefined) output.print(`\n${out}`);
      }
      finish(0);
    });
}

async function compared(folders: readonly string[], { seed, draws }: Options): Promise<Compared> {
  const { commonKindOf } = await import("../../report/results/kind.ts");
  const kind = await commonKindOf(folders);
  if (kind === "evaluation") {
    const { comparisonTables } = await import("../../report/comparison/tables.ts");
    const { writeComparisonReport } = await import("../../report/comparison/page.ts");
    const { compareEvaluations } = await import("../../report/results/compare.ts");
    const { readRuns } = await import("../../report/results/rescore.ts");
    const runs = await readRuns(folders);
    const result = compareEvaluations(runs, { seed, draws });
    return { result, page: () => writeComparisonReport(runs, result), tables: comparisonTables(result) };
  }
  const ofEvaluations = Object.entries({ "--seed": seed, "--draws": draws }).find(([, value]) => value !== undefined);
  if (ofEvaluations)
    throw new UsageError(`${ofEvaluations[0]}: nothing is drawn to compare trainings (${kind}); leave it out`);
  const { readTrainings } = await import("../../report/trainings/read.ts");
  const { compareTrainings } = await import("../../report/trainings/compare.ts");
  const { trainingTables } = await import("../../report/trainings/tables.ts");
  const { writeTrainingComparison } = await import("../../report/trainings/page.ts");
  const runs = await readTrainings(folders);
  const result = compareTrainings(runs);
  return { result, page: () => writeTrainingComparison(runs, result), tables: trainingTables(result) };
}
