// stillwave verify: replays recorded cases and compares every number.
import type { Command } from "commander";
import type { Output } from "./output.ts";
import { formatTable } from "./table.ts";

/** Differences of one kind of tensor (hidden states, gradients, ...): the largest over its tensors. */
interface Difference {
  readonly kind: string;
  readonly tensors: number;
  readonly maxAbsolute: number;
  readonly maxRelative: number;
  readonly tolerance: number;
  readonly passed: boolean;
}

interface CaseResult {
  readonly folder: string;
  readonly passed: boolean;
  readonly differences: readonly Difference[];
}

interface VerifyModule {
  verifyCases(folders: readonly string[]): Promise<readonly CaseResult[]>;
}

export function verifyVerb(program: Command, output: Output, finish: (code: number) => void): void {
  program
    .command("verify")
    .description("replay recorded cases (distillation steps, checkpoints with hidden states) and compare")
    .argument("<case-folder...>", "folders of recorded cases")
    .option("--json", "print the result as JSON")
    .addHelpText("after", "\nExample:\n  $ stillwave verify cases/armhubert_paper_gradscale cases/hf_hubert_base")
    .action(async (folders: string[], options: { readonly json?: boolean }) => {
      const { verifyCases }: VerifyModule = await import("../verify/index.ts" as string);
      const results = await verifyCases(folders);
      if (options.json) output.json({ passed: results.every(({ passed }) => passed), cases: results });
      else output.print(formatCases(results));
      finish(results.every(({ passed }) => passed) ? 0 : 1);
    });
}

/** One table per case, and a last line that sums up. */
function formatCases(results: readonly CaseResult[]): string {
  const blocks = results.map(({ folder, passed, differences }) => {
    const head = ["tensors", "count", "max absolute", "max relative", "tolerance", ""];
    const rows = differences.map(({ kind, tensors, maxAbsolute, maxRelative, tolerance, passed }) => [
      kind,
      String(tensors),
      maxAbsolute.toExponential(2),
      maxRelative.toExponential(2),
      tolerance.toExponential(0),
      passed ? "" : "FAILED",
    ]);
    return `${folder}: ${passed ? "passed" : "FAILED"}\n${formatTable(head, rows)}`;
  });
  const failed = results.filter(({ passed }) => !passed).length;
  return [...blocks, `${results.length - failed} passed, ${failed} failed`].join("\n\n");
}
