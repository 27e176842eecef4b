// stillwave pretrain: makes a HuBERT or WavLM from raw speech, as a recipe says.
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

export function pretrainVerb(program: Command, output: Output, finish: (code: number) => void): void {
  program
    .command("pretrain")
    .description("make a HuBERT or WavLM from raw speech as a recipe says")
    .argument("<recipe>", "recipe file, or the name of one that comes with the package")
    .option("--set <key=value>", "override a value of the recipe (repeatable), e.g. model.dim=384", collect)
    .option("--resume", "go on where the run was interrupted, whatever it was doing")
    .option("--force", "with --resume: although recipe or data have changed")
    .option("--out <dir>", "folder of the run (run.outDir of the recipe)")
    .addOption(deviceOption("run.device of the recipe"))
    .addOption(precisionOption())
    .addOption(threadsOption())
    .option("--json", "print what happens as JSON, one event a line")
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
    .action(async (recipe: string, options: Options) => finish(await run(recipe, options, output)));
}

async function run(name: string, options: Options, output: Output): Promise<number> {
  const { loadPretrainRecipe } = await import("../../pretrain/recipe/read.ts");
  const { set = [], out, device, precision, threads, resume, force, json = false } = options;
  const flags = Object.entries({ outDir: out, device, precision, threads }).filter(([, value]) => value !== undefined);
  const overrides = flags.map(([setting, value]) => `run.${setting}=${JSON.stringify(value)}`);
  const recipe = await loadPretrainRecipe(name, [...set, ...overrides]);
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
