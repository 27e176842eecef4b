// stillwave superb: evaluates upstreams on the benchmark's tasks, scores runs over tasks.
import type { Command } from "commander";
import { fillLater } from "../help/later.ts";
import type { Output } from "../output.ts";

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
        "  $ stillwave compare runs/pr-student runs/superb-pr-fbank",
      ].join("\n"),
    );
  // tasks and settings take a while to load: not before they are asked for
  fillLater(group, async () => {
    const { taskVerbs } = await import("./task.ts");
    const { scoreVerb } = await import("./score.ts");
    const { makeVerb } = await import("./make.ts");
    const { allVerb } = await import("./all.ts");
    for (const verb of [taskVerbs, allVerb, scoreVerb, makeVerb]) verb(group, output, finish);
  });
}
