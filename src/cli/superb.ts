// stillwave superb: evaluates upstreams on the benchmark's tasks, compares runs, scores them over tasks.
import type { Command } from "commander";
import type { Output } from "./output.ts";
import { compareVerb } from "./superb/compare.ts";
import { scoreVerb } from "./superb/score.ts";
import { taskVerbs } from "./superb/task.ts";

export function superbVerb(program: Command, output: Output, finish: (code: number) => void): void {
  const group = program
    .command("superb")
    .description("evaluate an upstream on SUPERB tasks: train a head on frozen hidden states, test it once")
    .helpCommand(false)
    .addHelpText(
      "after",
      [
        "",
        "Examples:",
        "  $ stillwave superb pr --upstream runs/quickstart/best --data LibriSpeech --out runs/pr-student",
        "  $ stillwave superb pr --upstream fbank --data LibriSpeech --lr 1e-2,1e-3",
        "  $ stillwave superb compare runs/pr-student runs/superb-pr-fbank",
      ].join("\n"),
    );
  taskVerbs(group, output, finish);
  compareVerb(group, output, finish);
  scoreVerb(group, output, finish);
}
