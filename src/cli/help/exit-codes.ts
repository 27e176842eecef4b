// How the command ends: its exit codes, and what help says about them.
import { OTHERS_INTERRUPTED } from "../../training/signals.ts";

export const EXIT_CODES = { ok: 0, failed: 1, misused: 2 } as const;

const MEANINGS: readonly (readonly [number, string])[] = [
  [EXIT_CODES.ok, "done"],
  [EXIT_CODES.failed, "it failed, and stderr says which file, where in it, and what to do; verify: a case differs"],
  [EXIT_CODES.misused, "the command line is wrong: a flag, a name, a value of --set"],
  [OTHERS_INTERRUPTED, "stopped by Ctrl-C with a checkpoint; 143 by SIGTERM"],
];

/** Lines of help. */
export const exitCodeLines = (): string[] => [
  "Exit codes:",
  ...MEANINGS.map(([code, meaning]) => `  ${String(code).padEnd(3)}  ${meaning}`),
];
