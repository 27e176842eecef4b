// stillwave inspect: what a recipe's student or a model is, how large, how much it computes.
import { type Command, InvalidArgumentError } from "commander";
import { collect } from "../collect.ts";
import type { Output } from "../output.ts";

interface Options {
  readonly seconds: number;
  readonly set?: readonly string[];
  readonly tensors?: boolean;
  readonly json?: boolean;
}

export function inspectVerb(program: Command, output: Output, finish: (code: number) => void): void {
  program
    .command("inspect")
    .description("show a model's architecture, parameters and MACs by block")
    .argument("<recipe|model>", "recipe (file or shipped name), model folder or file, or a Hugging Face id")
    .option("--seconds <n>", "length of the utterance that MACs are counted for", positive, 10)
    .option("--set <key=value>", "override a value of a recipe (repeatable)", collect)
    .option("--tensors", "list every tensor of a checkpoint: type, shape, and whether the model uses it")
    .option("--json", "print the result as JSON")
    .addHelpText(
      "after",
      "\nExample:\n  $ stillwave inspect armhubert-960\n  $ stillwave inspect facebook/hubert-base-ls960 --seconds 30",
    )
    .action(async (subject: string, options: Options) => {
      const { inspectSubject } = await import("./subject.ts");
      const inspection = await inspectSubject(subject, options).catch(async (error: unknown) => {
        await showContents(subject, error, options, output);
        throw error;
      });
      const { contentsOf, formatTensors } = await import("./contents.ts");
      const contents = options.tensors ? await contentsOf(subject) : undefined;
      if (options.json) output.json({ ...inspection, ...(contents && { tensorList: contents.tensors }) });
      else {
        const { formatInspection } = await import("./format.ts");
        output.print(formatInspection(inspection));
        if (contents) output.print(`\n${formatTensors(contents)}`);
      }
      finish(0);
    });
}

/** A file that can be opened but holds no model for us: what is in it, before the error that says why. */
async function showContents(subject: string, error: unknown, options: Options, output: Output): Promise<void> {
  const { StillwaveError, UsageError } = await import("../../errors.ts");
  if (options.json || !(error instanceof StillwaveError) || error instanceof UsageError) return;
  const { contentsOf, formatContents } = await import("./contents.ts");
  const contents = await contentsOf(subject).catch(() => undefined);
  if (contents && contents.tensors.length > 0) output.print(formatContents(contents));
}

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0 && Number.isFinite(value))) throw new InvalidArgumentError("expected a number of seconds above 0.");
  return value;
}
