// stillwave help: the help of a verb, and what holds for all of them.
import type { Command } from "commander";
import { suggestion } from "../../recipe/closest.ts";
import type { Output } from "../output.ts";
import { environmentLines } from "./environment.ts";
import { exitCodeLines } from "./exit-codes.ts";
import { filled } from "./later.ts";

const NARROWEST = 60;

export function helpVerb(program: Command, _output: Output, finish: (code: number) => void): void {
  program
    .command("help")
    .description("show the help of a verb, such as `help superb pr`; --help before or after the verb does the same")
    .argument("[verb...]", "the verb")
    .addHelpText("after", "\nExample:\n  $ stillwave help superb pr")
    .action(async (names: string[]) => {
      const command = await findVerb(program, names);
      command.outputHelp();
      finish(0);
    });
}

async function findVerb(program: Command, names: readonly string[]): Promise<Command> {
  let command = program;
  for (const [i, name] of names.entries()) {
    await filled(command);
    const verbs = command.commands;
    const found = verbs.find((one) => one.name() === name);
    if (!found) {
      const valid = verbs.map((one) => one.name());
      const near = suggestion(name, valid) || (valid.length > 0 ? `; valid: ${valid.join(", ")}` : "; it has none");
      command.error(`error: unknown command '${[...names.slice(0, i), name].join(" ")}'${near}`, { exitCode: 2 });
    }
    command = found ?? command;
  }
  await filled(command);
  return command;
}

/** `--help distill` and `-h distill` as `help distill`: flags that say no verb stay where they are. */
export function helpFirst(args: readonly string[]): readonly string[] {
  const [first, ...rest] = args;
  const isHelp = (first === "--help" || first === "-h") && rest.length > 0;
  return isHelp && rest.every((arg) => !arg.startsWith("-")) ? ["help", ...rest] : args;
}

/** What stands below the help of the whole program; below that of a verb, where to find it. */
export function helpNotes(command: Command, columns = 80): string {
  if (command.parent) return "\nExit codes and environment variables: stillwave --help";
  return [
    "",
    "Examples:",
    "  $ stillwave distill quickstart",
    "  $ stillwave inspect armhubert-960",
    "  $ stillwave help superb pr",
    "",
    ...exitCodeLines(),
    "",
    ...environmentLines(Math.max(NARROWEST, columns)),
  ].join("\n");
}
