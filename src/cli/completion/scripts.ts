// The completion scripts by shell.
import type { Command } from "commander";
import { bashScript } from "./bash.ts";
import { fishScript } from "./fish.ts";
import { type VerbWords, verbWords } from "./words.ts";
import { zshScript } from "./zsh.ts";

type Shell = "bash" | "zsh" | "fish";

const SCRIPTS: Readonly<Record<Shell, (verbs: readonly VerbWords[]) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

/** The script of a shell for all verbs of the program; flags that hold everywhere are those of the program but for its version. */
export async function completionScript(shell: Shell, program: Command): Promise<string> {
  const everywhere = program.options.filter(({ long }) => long !== "--version");
  return SCRIPTS[shell](await verbWords(program, everywhere)).trimEnd();
}
