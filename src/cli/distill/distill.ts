// stillwave distill: trains the student of a recipe.

import type { Command } from "commander";
import type { DeviceChoice } from "../../runtime/device.ts";
import type { PrecisionChoice } from "../../stablehlo/precision.ts";
import { collect } from "../collect.ts";
import { deviceOption, precisionOption, threadsOption } from "../flags.ts";
import type { Output } from "../output.ts";
import { writeReport } from "../report.ts";

interface Options {
  readonly set?: readonly string[];
  readonly resume?: boolean;
  readonly force?: boolean;
  readonly out?: string;
  readonly device?: DeviceChoice;
  readonly precision?: PrecisionChoice;
  readonly threads?: number;
  readonly json?: boolean;
}

export function distillVerb(program: Command, output: Output, finish: (code: number) => void): void {
  program
    .command("distill")
    .description("distil a student from a teacher as a recipe says")
    .argument("<recipe>", "recipe file, or the name of one that comes with the package")
    .option("--set <key=value>", "override a value of the recipe (repeatable), e.g. student.dim=432", collect)
    .option("--resume", "go on from the last checkpoint of the run")
    .option("--force", "with --resume: although recipe, data or teacher have changed")
    .option("--out <dir>", "folder of the run (run.outDir of the recipe)")
    .addOption(deviceOption("run.device of the recipe"))
    .addOption(precisionOption())
    .addOption(threadsOption())
    .option("--json", "print what happens as JSON, one event a line")
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
    .action(async (recipe: string, options: Options) => finish(await run(recipe, options, output)));
}

async function run(name: string, options: Options, output: Output): Promise<number> {
  const { loadRecipe } = await import("../../distill/recipe/read.ts");
  const { set = [], out, device, precision, threads } = options;
  const flags = Object.entries({ outDir: out, device, precision, threads }).filter(([, value]) => value !== undefined);
  const overrides = flags.map(([setting, value]) => `run.${setting}=${JSON.stringify(value)}`);
  const recipe = await loadRecipe(name, [...set, ...overrides]);
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
