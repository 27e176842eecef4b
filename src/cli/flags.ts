// Flags that several verbs have, and messages of the library, which name its options, with the flags of the command line.
import { Option } from "commander";
import { StillwaveError } from "../errors.ts";
import { DEVICE_CHOICES } from "../runtime/device.ts";
import { PRECISION_CHOICES } from "../stablehlo/precision.ts";
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
export const precisionOption = () =>
  new Option("--precision <name>", "formats of products and activations (run.precision of the recipe)").choices(
    PRECISION_CHOICES,
  );

const FLAGS: readonly (readonly [option: RegExp, flag: string])[] = [
  [/\bgive teacherHeads\b/g, "give --teacher-heads <n> (teacherHeads)"],
  [/\bgive another outDir\b/g, "give another --out"],
  [/\bonBadFile: skip\b/g, "--on-bad-file skip"],
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
