// stillwave verify: replays recorded cases and compares every number.

import type { Command } from "commander";
import { printable } from "../log/format.ts";
import type { DeviceChoice } from "../runtime/device.ts";
import type { CaseResult, Difference } from "../verify/index.ts";
import { deviceOption, threadsOption } from "./flags.ts";
import type { Output } from "./output.ts";
import { formatTable } from "./table.ts";

interface Options {
  readonly json?: boolean;
  readonly model?: string;
  readonly device?: DeviceChoice;
  readonly threads?: number;
}

export function verifyVerb(program: Command, output: Output, finish: (code: number) => void): void {
  program
    .command("verify")
    .description("replay recorded cases (distillation steps, checkpoints with hidden states) and compare")
    .argument("<case-folder...>", "folders of recorded cases")
    .option("--model <path|id>", "the model of published outputs (default: facebook/hubert-base-ls960)")
    .addOption(deviceOption())
    .addOption(threadsOption())
    .option("--json", "print the result as JSON")
    .addHelpText(
      "after",
      [
        "",
        "Examples:",
        "  $ stillwave verify cases/armhubert_paper_gradscale cases/hf_hubert_base",
        "  $ stillwave verify cases/hubert-base-golden --model hubert_base_ls960.pt",
        "",
        "A case that needs weights which are not here is skipped, and says how to get them.",
      ].join("\n"),
    )
    .action(async (folders: string[], options: Options) => {
      const { verifyCases } = await import("../verify/index.ts");
      const { createRuntime } = await import("../runtime/node/index.ts");
      const { json, device, threads, ...rest } = options;
      const results = await verifyCases(folders, await createRuntime({ device, threads }), rest);
      const passed = results.every((result) => result.passed || result.skipped !== undefined);
      const unreadable = results.flatMap(({ error }) => (error === undefined ? [] : [error]));
      if (json) output.json({ passed, cases: results });
      else if (unreadable.length < results.length) output.print(formatCases(results));
      else for (const error of unreadable) output.error(`stillwave: ${error}`);
      finish(passed ? 0 : 1);
    });
}

const MEASURES = { l2: "of the norm", largest: "of the largest", share: "of the frames" } as const;

/** One table per case, and a last line that sums up. */
export function formatCases(results: readonly CaseResult[]): string {
  const head = ["tensors", "count", "max absolute", "max relative", "tolerance", "relative", "worst", ""];
  const blocks = results.map(({ folder, kind, passed, differences, skipped, error, notes = [] }) => {
    const name = printable(folder);
    if (error !== undefined) return `${name}: FAILED, it cannot be replayed: ${error}`;
    if (skipped !== undefined) return `${name} (${kind}): skipped: ${skipped}`;
    const rows = differences.map((difference) => [
      difference.kind,
      String(difference.tensors),
      difference.maxAbsolute.toExponential(2),
      difference.maxRelative.toExponential(2),
      difference.tolerance.toExponential(0),
      MEASURES[difference.measure],
      difference.worst,
      difference.passed ? "" : "FAILED",
    ]);
    const verdict = `${name} (${kind}): ${passed ? "passed" : "FAILED"}`;
    return [verdict, formatTable(head, rows, [0, 5, 6, 7]), ...differences.flatMap(formatFailed), ...notes].join("\n");
  });
  const skipped = results.filter((result) => result.skipped !== undefined).length;
  const failed = results.filter(({ passed }) => !passed).length - skipped;
  const summary = `${results.length - failed - skipped} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ""}`;
  return [...blocks, summary].join("\n\n");
}

/** Every tensor beyond the tolerance, a line each. */
function formatFailed({ kind, failed, tolerance, measure }: Difference): string[] {
  if (failed.length === 0) return [];
  const lines = failed.map(
    ({ name, maxAbsolute, relative }) =>
      `  ${name}: ${relative.toExponential(2)} ${MEASURES[measure]}, at most ${maxAbsolute.toExponential(2)}`,
  );
  return [`${kind} beyond ${tolerance.toExponential(0)}, ${failed.length}:`, ...lines];
}
