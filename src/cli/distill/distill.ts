// stillwave distill: trains the student of a recipe.

import type { Command } from "commander";
import { recipeOverrides, type TrainingFlags, takingRecipe } from "../flags.ts";
import type { Output } from "../output.ts";
import { writeReport } from "../report.ts";

export function distillVerb(program: Command, output: Output, finish: (code: number) => void): void {
  takingRecipe(program.command("distill"), {
    setting: "student.dim=432",
    resume: "go on from the last checkpoint of the run",
    changed: "recipe, data or teacher",
  })
    .description("distil a student from a teacher as a recipe says")
    .addHelpText(
      "after",
      [
        "",
        "Examples:",
        "  $ stillwave distill quickstart --set run.steps=100 --out runs/first",
        "  $ stillwave distill quickstart --set run.steps=100 --out runs/first --resume",
        "",
        "Started by mpirun, srun or torchrun, all processes share the run (docs/accelerators.md).",
        "Ctrl-C writes a checkpoint and ends with exit code 130; a second Ctrl-C ends at once.",
      ].join("\n"),
    )
    .action(async (recipe: string, options: TrainingFlags) => finish(await run(recipe, options, output)));
}

async function run(name: string, options: TrainingFlags, output: Output): Promise<number> {
  const { loadRecipe } = await import("../../distill/recipe/read.ts");
  const recipe = await loadRecipe(name, recipeOverrides(options));
  const { distillRun } = await import("../../distill/run.ts");
  const { prepareRun } = await import("../../distill/prepare.ts");
  const { aboutRun } = await import("../../distill/processes.ts");
  const { together } = await import("../../processes/together.ts");
  const { runStoppable } = await import("../../training/signals.ts");
  const { followPart, followRun } = await import("./follow.ts");
  const { resume, force, json = false } = options;
  const stopping = () => output.note("stopping with a checkpoint; press again to stop at once");
  return runStoppable(stopping, (signal) =>
    together(aboutRun(recipe), signal, async (group) => {
      const events = distillRun({ recipe, prepare: prepareRun, resume, force, signal, group });
      const isWriter = !group || group.rank === 0;
      const ended = await (isWriter ? followRun(events, output, json) : followPart(events, output, group.rank));
      if (ended.kind === "done" && isWriter) await writeReport(ended.folder, json, output);
      return ended.kind === "done";
    }),
  );
}
