// stillwave completion: a script that teaches a shell what can follow on the command line.
import { Argument, type Command } from "commander";
import type { Output } from "../output.ts";

const SHELLS = ["bash", "zsh", "fish"] as const;
type Shell = (typeof SHELLS)[number];

export function completionVerb(program: Command, output: Output, finish: (code: number) => void): void {
  program
    .command("completion")
    .description("print a script with which the shell completes verbs, flags, their values, recipes and files")
    .addArgument(new Argument("<shell>", "the shell").choices(SHELLS))
    .addHelpText(
      "after",
      [
        "",
        "Examples:",
        "  $ source <(stillwave completion bash)",
        "  $ source <(stillwave completion zsh)",
        "  $ stillwave completion fish | source",
        "",
        "The script's first lines say where to save it so that every shell reads it.",
      ].join("\n"),
    )
    .action(async (shell: Shell) => {
      const { completionScript } = await import("./scripts.ts");
      output.print(await completionScript(shell, program));
      finish(0);
    });
}
