// stillwave init: a recipe for your speech and your teacher, with what it will take.
import { existsSync } from "node:fs";
import { type Command, InvalidArgumentError } from "commander";
import type { DeviceChoice } from "../../runtime/device.ts";
import { collect } from "../collect.ts";
import { deviceOption, threadsOption } from "../flags.ts";
import type { Output } from "../output.ts";
import { shareOf } from "./ask.ts";
import { secondsOf } from "./estimate.ts";
import type { Plan } from "./plan.ts";

interface Options {
  readonly data?: string;
  readonly teacher?: string;
  readonly share?: number;
  readonly time?: number;
  readonly train?: readonly string[];
  readonly dev?: readonly string[];
  readonly out?: string;
  readonly device?: DeviceChoice;
  readonly threads?: number;
  readonly json?: boolean;
}

const DEFAULTS = { data: "speech", teacher: "facebook/hubert-base-ls960", share: 0.25, budgetSeconds: 3600 };

export function initVerb(program: Command, output: Output, finish: (code: number) => void): void {
  program
    .command("init")
    .description("write a recipe for your speech and your teacher, with an estimate of time and memory")
    .argument("[recipe.yaml]", "file to write; one that is there stays as it is", "recipe.yaml")
    .option("--data <path>", "speech: a folder (LibriSpeech layout, Kaldi or any) or a manifest")
    .option("--teacher <model>", `model folder, checkpoint or Hugging Face id (default: ${DEFAULTS.teacher})`)
    .option("--share <x>", `of the teacher's parameters that the student may have (default: ${DEFAULTS.share})`, share)
    .option("--time <duration>", "how long it may train: 30m, 2h, 3d (default: 1h)", duration)
    .option("--train <split>", "sub-folder to train on (repeatable; default: those that begin with train)", collect)
    .option("--dev <split>", "sub-folder to validate on (repeatable; default: dev..., valid...)", collect)
    .option("--out <dir>", "folder of the run (default: runs/<recipe>)")
    .addOption(deviceOption())
    .addOption(threadsOption())
    .option("--json", "print what was found and chosen as JSON")
    .addHelpText(
      "after",
      [
        "",
        "Examples:",
        "  $ stillwave init",
        "  $ stillwave init mine.yaml --data speech/ --teacher facebook/hubert-base-ls960 --time 8h",
        "",
        "On a terminal it asks for what no flag says; without one --data must be given.",
        "Where the speech has no split to validate on, every twentieth part of it is held out, in lists beside the recipe.",
      ].join("\n"),
    )
    .action(async (recipe: string, options: Options) => {
      await init(recipe, options, output);
      finish(0);
    });
}

async function init(recipe: string, options: Options, output: Output): Promise<void> {
  const { StillwaveError, UsageError } = await import("../../errors.ts");
  if (!/\.ya?ml$/i.test(recipe)) throw new UsageError(`${recipe}: a recipe is a .yaml file`);
  const stem = recipe.replace(/\.ya?ml$/i, "");
  const inTheWay = [recipe, `${stem}-train.jsonl`, `${stem}-dev.jsonl`].find((path) => existsSync(path));
  if (inTheWay !== undefined)
    throw new StillwaveError(`${inTheWay}: is there already, and init overwrites nothing; name another recipe`);
  const given = { data: options.data, teacher: options.teacher, share: options.share, budgetSeconds: options.time };
  const isAsking = process.stdin.isTTY === true && process.stderr.isTTY === true && !options.json;
  if (given.data === undefined && !isAsking)
    throw new UsageError("init: say where the speech is, with --data (there is no terminal to ask on)");
  const { askFor } = await import("./ask.ts");
  const answers = isAsking
    ? await askFor(given, DEFAULTS, { input: process.stdin, output: process.stderr })
    : { ...DEFAULTS, ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) };
  const { planRun } = await import("./plan.ts");
  const { recipeText } = await import("./recipe-text.ts");
  const { train, dev, out, device, threads } = options;
  const plan = await planRun({ ...answers, recipe, train, dev, out, device, threads });
  const { writeFileAtomic } = await import("../../files.ts");
  await writeFileAtomic(recipe, recipeText(plan));
  const { inspectSubject } = await import("../inspect/subject.ts");
  await inspectSubject(recipe);
  if (options.json) return output.json(factsOf(plan));
  for (const line of await foundLines(plan)) output.note(line);
  output.print(await summary(plan));
}

/** What was found in the folder, a line for each split. */
async function foundLines({ data, found }: Plan): Promise<string[]> {
  const { formatCount, formatHours, printable } = await import("../../log/format.ts");
  return found.splits.map(({ name, recordings, seconds, badFiles }) => {
    const bad = badFiles > 0 ? `; ${formatCount(badFiles)} cannot be read and are left out` : "";
    return `found ${printable(name === undefined ? data : `${data}: ${name}`)}: ${formatHours(seconds)} in ${formatCount(recordings)} recordings${bad}`;
  });
}

async function summary(plan: Plan): Promise<string> {
  const { formatCount, formatHours, printable } = await import("../../log/format.ts");
  const { costText, sizeText } = await import("./recipe-text.ts");
  const { student, speech, steps, budgetSeconds } = plan;
  const lists =
    speech.train.path === plan.data ? [] : [speech.train.path, ...(speech.validation ? [speech.validation.path] : [])];
  return [
    `${printable([plan.recipe, ...lists].join(", "))}: written`,
    `student   ${student.layers} layers, width ${student.dim}: ${sizeText(plan)}`,
    `estimate  ${formatCount(steps)} updates in ${formatHours(budgetSeconds)}: ${costText(plan)}`,
    `next      stillwave distill ${printable(plan.recipe)}`,
  ].join("\n");
}

const factsOf = ({ recipe, data, teacher, found, speech, student, parameters, macs, ...plan }: Plan) => {
  const { layers, dim, ffnDim, heads } = student;
  const { batchSeconds, maxSeconds, steps, epochs, budgetSeconds, audioSecondsPerSecond, gflops, cost, outDir } = plan;
  const estimate = { seconds: budgetSeconds, audioSecondsPerSecond, gflops, epochs, memoryBytes: cost.memory };
  return {
    ...{ recipe, data, teacher, found, train: speech.train, validation: speech.validation ?? null, outDir },
    student: { layers, dim, ffnDim, heads, parameters: parameters.student, macs: macs.student },
    ...{ teacherParameters: parameters.teacher, batchSeconds, maxSeconds, steps, estimate },
  };
};

function share(text: string): number {
  const value = shareOf(text);
  if (value === undefined) throw new InvalidArgumentError("expected a share such as 0.25 or 25%.");
  return value;
}

function duration(text: string): number {
  const value = secondsOf(text);
  if (value === undefined) throw new InvalidArgumentError("expected a time such as 30m, 2h or 3d.");
  return value;
}
