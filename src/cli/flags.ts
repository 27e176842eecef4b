// Flags that several verbs have, and messages of the library, which name its options, with the flags of the command line.
import { type Command, Option } from "commander";
import { StillwaveError } from "../errors.ts";
import { LOGGER_NAMES } from "../log/logger.ts";
import { DEVICE_CHOICES, type DeviceChoice } from "../runtime/device.ts";
import { PRECISION_CHOICES, type PrecisionChoice } from "../stablehlo/precision.ts";
import { collect, commaList } from "./collect.ts";
import { threadCount } from "./numbers.ts";

/** One meaning in every verb that computes; threads that decode audio are counted apart. */
export const threadsOption = () =>
  new Option("--threads <n>", "threads inside one operation (default: all cores)").argParser(threadCount);

/** Where to compute, of the one table of names. */
export const deviceOption = (otherwise = "cpu") =>
  new Option(
    "--device <name>",
    `where to compute; \`stillwave devices\` lists what works (default: ${otherwise})`,
  ).choices(DEVICE_CHOICES);

/** What products and large activations of a training are kept in. */
const precisionOption = () =>
  new Option("--precision <name>", "formats of products and activations (run.precision of the recipe)").choices(
    PRECISION_CHOICES,
  );

/** What is written of a run beside its metrics.jsonl. */
const loggersOption = () =>
  new Option(
    "--loggers <names>",
    `what is written of the run, of ${LOGGER_NAMES.join(", ")} (run.loggers of the recipe)`,
  ).argParser(commaList);

/** Flags of the verbs that train by a recipe. */
export interface TrainingFlags {
  readonly set?: readonly string[];
  readonly resume?: boolean;
  readonly force?: boolean;
  readonly out?: string;
  readonly device?: DeviceChoice;
  readonly precision?: PrecisionChoice;
  readonly threads?: number;
  readonly loggers?: readonly string[];
  readonly json?: boolean;
}

interface TrainingHelps {
  readonly setting: string;
  readonly resume: string;
  readonly changed: string;
  /** Of recipes that choose it. */
  readonly hasPrecision?: boolean;
}

/** Adds a recipe and the flags of a training to a verb; `helps` are the words that differ between verbs. */
export function takingRecipe(verb: Command, helps: TrainingHelps): Command {
  const { hasPrecision = true } = helps;
  verb
    .argument("<recipe>", "recipe file, or the name of one that comes with the package")
    .option("--set <key=value>", `override a value of the recipe (repeatable), e.g. ${helps.setting}`, collect)
    .option("--resume", helps.resume)
    .option("--force", `with --resume: although ${helps.changed} have changed`)
    .option("--out <dir>", "folder of the run (run.outDir of the recipe)")
    .addOption(deviceOption("run.device of the recipe"));
  if (hasPrecision) verb.addOption(precisionOption());
  return verb
    .addOption(threadsOption())
    .addOption(loggersOption())
    .option("--json", "print what happens as JSON, one event a line");
}

/** What the flags override in the recipe, as `--set` writes it. */
export function recipeOverrides({
  set = [],
  out,
  device,
  precision,
  threads,
  loggers,
}: TrainingFlags): readonly string[] {
  const flags = Object.entries({ outDir: out, device, precision, threads, loggers }).filter(
    ([, value]) => value !== undefined,
  );
  return [...set, ...flags.map(([setting, value]) => `run.${setting}=${JSON.stringify(value)}`)];
}

const FLAGS: readonly (readonly [option: RegExp, flag: string])[] = [
  [/\bgive teacherHeads\b/g, "give --teacher-heads <n> (teacherHeads)"],
  [/\bgive another outDir\b/g, "give another --out"],
  [/\bonBadFile: skip\b/g, "--on-bad-file skip"],
  [/\bgive --token \(token\)/g, "give --token"],
  [/--license \(license\)/g, "--license"],
  [/\blmWeight\b/g, "--lm-weight"],
  [/\bwordScore\b/g, "--word-score"],
];

/** Runs `work`; where it fails, its message names flags. */
export async function namingFlags<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof StillwaveError)
      error.message = FLAGS.reduce((text, [option, flag]) => text.replace(option, flag), error.message);
    throw error;
  }
}
