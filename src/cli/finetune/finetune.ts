// stillwave finetune: trains an upstream and a head together, as a recipe says.
import type { Command } from "commander";
import { recipeOverrides, type TrainingFlags, takingRecipe } from "../flags.ts";
import type { Output } from "../output.ts";
import { writeReport } from "../report.ts";

export function finetuneVerb(program: Command, output: Output, finish: (code: number) => void): void {
  takingRecipe(program.command("finetune"), {
    setting: "upstream.model=runs/quickstart/best",
    resume: "go on from the last checkpoint of the run",
    changed: "recipe, data or upstream",
    hasPrecision: false,
  })
    .description("train a model and a head together to recognise phones, letters, words or classes")
    .addHelpText(
      "after",
      [
        "",
        "Examples:",
        "  $ stillwave finetune finetune-digits --set data.root=digits",
        "  $ stillwave finetune finetune-phones --set upstream.model=runs/quickstart/best --set data.root=LibriSpeech",
        "",
        "Dev chooses the best model, which is tested once: `stillwave compare` holds it against frozen ones.",
        "Ctrl-C writes a checkpoint and ends with exit code 130; a second Ctrl-C ends at once.",
      ].join("\n"),
    )
    .action(async (recipe: string, options: TrainingFlags) => finish(await run(recipe, options, output)));
}

async function run(name: string, options: TrainingFlags, output: Output): Promise<number> {
  const { loadFinetuneRecipe } = await import("../../finetune/recipe/read.ts");
  const { resume, force, json = false } = options;
  const recipe = await loadFinetuneRecipe(name, recipeOverrides(options));
  const { finetuneRun } = await import("../../finetune/run/run.ts");
  const { runStoppable } = await import("../../training/signals.ts");
  const { followFinetuning } = await import("./follow.ts");
  const stopping = () => output.note("stopping with a checkpoint; press again to stop at once");
  return runStoppable(stopping, async (signal) => {
    const ended = await followFinetuning(finetuneRun({ recipe, resume, force, signal }), output, json);
    if (ended.kind !== "done") return false;
    await writeReport(ended.folder, json, output);
    return true;
  });
}
