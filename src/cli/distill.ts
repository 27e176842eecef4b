// stillwave distill: trains the student of a recipe.
import type { Command } from "commander";
import { collect } from "./collect.ts";
import type { Output } from "./output.ts";

interface Options {
  readonly set?: readonly string[];
  readonly resume?: boolean;
  readonly out?: string;
  readonly json?: boolean;
}

export function distillVerb(program: Command, output: Output, finish: (code: number) => void): void {
  program
    .command("distill")
    .description("distil a student from a teacher as a recipe says")
    .argument("<recipe>", "recipe file, or the name of one that comes with the package")
    .option("--set <key=value>", "override a value of the recipe (repeatable), e.g. student.dim=432", collect)
    .option("--resume", "go on from the last checkpoint of the run")
    .option("--out <dir>", "folder of the run (run.outDir of the recipe)")
    .option("--json", "print the result as JSON")
    .addHelpText(
      "after",
      "\nExample:\n  $ stillwave distill quickstart --set run.steps=100 --out runs/first\n  $ stillwave distill quickstart --out runs/first --resume",
    )
    .action(async (recipe: string, options: Options) => finish(await run(recipe, options, output)));
}

async function run(recipeName: string, options: Options, output: Output): Promise<number> {
  const { loadRecipe } = await import("../distill/recipe.ts");
  const set =
    options.out === undefined
      ? (options.set ?? [])
      : [...(options.set ?? []), `run.outDir=${JSON.stringify(options.out)}`];
  const { recipe } = await loadRecipe(recipeName, { set });
  output.json(recipe);
  return 0;
}
