// stillwave pretrain: makes a HuBERT or WavLM from raw speech, as a recipe says.
import type { Command } from "commander";
import { recipeOverrides, type TrainingFlags, takingRecipe } from "../flags.ts";
import type { Output } from "../output.ts";
import { writeReport } from "../report.ts";

export function pretrainVerb(program: Command, output: Output, finish: (code: number) => void): void {
  takingRecipe(program.command("pretrain"), {
    setting: "model.dim=384",
    resume: "go on where the run was interrupted, whatever it was doing",
    changed: "recipe or data",
  })
    .description("make a HuBERT or WavLM from raw speech as a recipe says")
    .addHelpText(
      "after",
      [
        "",
        "Example:",
        "  $ stillwave pretrain hubert-tiny-pretrain --set data.train.path=speech --set data.validation=null",
        "",
        "Each iteration clusters features of the speech into units, and trains a model to guess the units of hidden frames.",
        "Ctrl-C stops with all that is done saved and ends with exit code 130; a second Ctrl-C ends at once.",
      ].join("\n"),
    )
    .action(async (recipe: string, options: TrainingFlags) => finish(await run(recipe, options, output)));
}

async function run(name: string, options: TrainingFlags, output: Output): Promise<number> {
  const { loadPretrainRecipe } = await import("../../pretrain/recipe/read.ts");
  const { resume, force, json = false } = options;
  const recipe = await loadPretrainRecipe(name, recipeOverrides(options));
  const { pretrainRun } = await import("../../pretrain/run.ts");
  const { runStoppable } = await import("../../training/signals.ts");
  const { followPretraining } = await import("./follow.ts");
  const stopping = () => output.note("stopping with what is done; press again to stop at once");
  return runStoppable(stopping, async (signal) => {
    const ended = await followPretraining(pretrainRun({ recipe, resume, force, signal }), output, json);
    if (ended.kind !== "done") return false;
    await writeReport(ended.folder, json, output);
    return true;
  });
}
