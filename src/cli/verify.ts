// stillwave verify: replays recorded cases and compares every number.
import type { Command } from "commander";
import type { CaseResult } from "../verify/index.ts";
import type { Output } from "./output.ts";
import { formatTable } from "./table.ts";

export function verifyVerb(program: Command, output: Output, finish: (code: number) => void): void {
  program
    .command("verify")
    .description("replay recorded cases (distillation steps, checkpoints with hidden states) and compare")
    .argument("<case-folder...>", "folders of recorded cases")
    .option("--json", "print the result as JSON")
    .addHelpText("after", "\nExample:\n  $ stillwave verify cases/armhubert_paper_gradscale cases/hf_hubert_base")
    .action(async (folders: string[], options: { readonly json?: boolean }) => {
      const { verifyCases } = await import("../verify/index.ts");
      const results = await verifyCases(folders);
      if (options.json) output.json({ passed: results.every(({ passed }) => passed), cases: results });
      else output.print(formatCases(results));
      finish(results.every(({ passed }) => passed) ? 0 : 1);
    });
}

const measures = { l2: "of the norm", largest: "of the largest" } as const;

/** One table per case, and a last line that sums up. */
export function formatCases(results: readonly CaseResult[]): string {
  const head = ["tensors", "count", "max absolute", "max relative", "tolerance", "relative", "worst", ""];
  const blocks = results.map(({ folder, kind, passed, differences }) => {
    const rows = differences.map((difference) => [
      difference.kind,
      String(difference.tensors),
      difference.maxAbsolute.toExponential(2),
      difference.maxRelative.toExponential(2),
      difference.tolerance.toExponential(0),
      measures[difference.measure],
      difference.worst,
      difference.passed ? "" : "FAILED",
    ]);
    return `${folder} (${kind}): ${passed ? "passed" : "FAILED"}\n${formatTable(head, rows, [0, 5, 6, 7])}`;
  });
  const failed = results.filter(({ passed }) => !passed).length;
  return [...blocks, `${results.length - failed} passed, ${failed} failed`].join("\n\n");
}
