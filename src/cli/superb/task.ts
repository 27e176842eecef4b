// stillwave superb pr, asr, ks, ...: one evaluation of one upstream.
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { UsageError } from "../../errors.ts";
import { printable } from "../../log/index.ts";
import { describeCorpus } from "../../superb/corpora/find.ts";
import { readSettings } from "../../superb/recipe/read.ts";
import { TASKS, type TaskName, taskNamed } from "../../superb/tasks/index.ts";
import { collect } from "../collect.ts";
import { namingFlags } from "../flags.ts";
import type { Output } from "../output.ts";
import { generalFlags, givenFlags, missingFlag, ownFlags } from "./flags.ts";
import { writtenFiles } from "./written-files.ts";

interface Options {
  readonly set?: readonly string[];
  readonly resume?: boolean;
  readonly force?: boolean;
  readonly submission?: string;
  readonly json?: boolean;
}

export function taskVerbs(group: Command, output: Output, finish: (code: number) => void): void {
  for (const [name, task] of Object.entries(TASKS)) {
    const command = group
      .command(name)
      .description(`${task.title}: ${task.summary}`)
      .argument(
        "[recipe]",
        "recipe file with settings, or the name of one that comes with the package; flags win over it",
      );
    generalFlags(command, task);
    command
      .option("--set <key=value>", "a setting of the recipe (repeatable), e.g. training.steps=1000; flags win", collect)
      .option("--resume", "go on with the run in --out")
      .option("--force", "with --resume: although options, data or upstream have changed")
      .option("--submission <dir>", "also write the file that the benchmark's leaderboard takes")
      .option("--json", "print what happens as JSON, one event a line");
    ownFlags(command, task);
    command
      .addHelpText(
        "after",
        [
          "",
          "Example:",
          `  $ stillwave superb ${name} ${task.example}`,
          "",
          "Started by mpirun, srun or torchrun, all processes extract hidden states (docs/accelerators.md).",
          "Ctrl-C keeps a checkpoint; --resume goes on.",
        ].join("\n"),
      )
      .action(async (recipe: string | undefined) => finish(await run(name as TaskName, recipe, command, output)));
  }
}

async function run(name: TaskName, recipe: string | undefined, command: Command, output: Output): Promise<number> {
  const { set = [], resume = false, force = false, submission, json = false }: Options = command.opts();
  const flags = givenFlags(command);
  const facts = taskNamed(name);
  const rootFrom = "rootFrom" in facts ? facts.rootFrom : undefined;
  const missing = recipe === undefined ? missingFlag(flags, set, rootFrom) : undefined;
  if (missing !== undefined) {
    const root = flags.find(({ path }) => path.join(".") === "data.root")?.value;
    const described = typeof root === "string" && existsSync(root) ? describeCorpus(name, { root }) : undefined;
    if (described !== undefined) output.note(printable(described));
    command.error(`error: required option '${missing}' not specified`, {
      code: "commander.missingMandatoryOptionValue",
    });
  }
  if (force && !resume) throw new UsageError("--force goes with --resume");
  const settings = await readSettings(facts, recipe, { set, flags });
  const { evaluate } = await import("../../library/evaluate.ts");
  const { digestOf, together } = await import("../../processes/together.ts");
  const { runStoppable } = await import("../../training/signals.ts");
  const { followEvaluation, followHelp } = await import("./follow.ts");
  const stopping = () => output.note("stopping with a checkpoint; press again to stop at once");
  const { device: _d, threads: _n, ...run } = settings.run;
  const about = `superb ${digestOf({ ...settings, run })}`;
  return runStoppable(stopping, (signal) =>
    together(about, signal, async (group) => {
      const events = evaluate({ ...settings, resume, force, signal }, group);
      if (group?.rank) return followHelp(events, output, group.rank);
      if ((await namingFlags(() => followEvaluation(events, output, json))) !== "done") return false;
      if (submission !== undefined) {
        const { submitRuns } = await import("../../report/results/submit.ts");
        const written = await submitRuns(submission, [settings.run.outDir]);
        for (const line of writtenFiles(written.map(({ path }) => join(submission, path))))
          output.note(`submission       ${line}`);
      }
      return true;
    }),
  );
}
