// Messages of the library name its options; a user of the command line needs the flags.
import { StillwaveError } from "../errors.ts";

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
