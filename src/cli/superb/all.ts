// stillwave superb all: every task whose corpus is below one folder, as a queue, with one report.
import { existsSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import type { Command } from "commander";
import { StillwaveError, UsageError, unknownName } from "../../errors.ts";
import type { BenchmarkJob } from "../../library/evaluate-all.ts";
import type { Override } from "../../recipe/source.ts";
import { findCorpus, usualFolders } from "../../superb/corpora/find.ts";
import { QUICK_TASKS, quickSettings } from "../../superb/recipe/quick.ts";
import { isAmong, readSettings } from "../../superb/recipe/read.ts";
import { OF_TRAINING, OWN_SETTINGS } from "../../superb/recipe/schema.ts";
import { TASKS, type TaskName, taskNamed } from "../../superb/tasks/index.ts";
import { isSearch } from "../../superb/tasks/task.types.ts";
import { collect } from "../collect.ts";
import { namingFlags } from "../flags.ts";
import type { Output } from "../output.ts";
import { flagsFor, givenFlags } from "./flags.ts";

interface Options {
  readonly dataRoot: string;
  readonly upstream: string;
  readonly out?: string;
  readonly tasks?: readonly string[];
  readonly quick?: boolean;
  readonly set?: readonly string[];
  readonly submission?: string;
  readonly resume?: boolean;
  readonly json?: boolean;
}

/** Settings that are flags here: those that every task has, but for data and folder. */
const SHARED: readonly string[] = [
  ...["training.protocol", "training.seed", "head.normalizeStates"],
  ...["upstream.states", "upstream.part", "upstream.reuse", "upstream.teacherHeads"],
  ...["features.cache", "features.dtype", "data.onBadFile", "run.device", "run.threads", "run.loggers"],
];

export function allVerb(group: Command, output: Output, finish: (code: number) => void): void {
  const command = group
    .command("all")
    .description("every task whose corpus is there: a queue that can be resumed, scores, one report")
    .requiredOption("--upstream <model>", "model folder, checkpoint, Hugging Face id, exported .onnx, fbank or mfcc")
    .requiredOption(
      "--data-root <dir>",
      "folder of corpora: of each task one called like it (pr, asr, ks, ...), or like the corpus (LibriSpeech, ...)",
    )
    .option("--out <dir>", "folder of the report and of all runs (default: runs/superb-all-<upstream>)")
    .option("--tasks <names>", "only these, e.g. pr,ks (default: all whose corpus is there)", (text) => text.split(","))
    .option(
      "--quick",
      "fewer data and a fixed number of steps, for choosing between students: no results of the benchmark",
    )
    .option("--set <key=value>", "a setting of every task, or of one: pr.training.steps=1000 (repeatable)", collect)
    .option("--submission <dir>", "also write the files that the benchmark's leaderboard takes")
    .option("--resume", "go on with what is in --out")
    .option("--json", "print what happens as JSON, one event a line");
  flagsFor(command, SHARED);
  command
    .addHelpText(
      "after",
      [
        "",
        "Examples:",
        "  $ stillwave superb all --upstream runs/quickstart/best --data-root corpora",
        "  $ stillwave superb all --upstream student.onnx --data-root corpora --tasks pr,sid --quick",
        "",
        "Ctrl-C keeps a checkpoint; --resume goes on, also after a kill.",
      ].join("\n"),
    )
    .action(async () => finish(await run(command, output)));
}

async function run(command: Command, output: Output): Promise<number> {
  const {
    json = false,
    resume = false,
    dataRoot,
    upstream,
    submission,
    quick = false,
    ...options
  }: Options = command.opts();
  if (!existsSync(dataRoot))
    throw new StillwaveError(`${dataRoot}: no such folder; --data-root is a folder of corpora`);
  const { found, missing } = lookFor(tasksOf(options.tasks, quick), dataRoot);
  const folder = options.out ?? join("runs", `superb-all-${nameOf(upstream)}`);
  refuseUnused(
    options.set,
    found.map(({ task }) => task),
  );
  const jobs: BenchmarkJob[] = [];
  for (const { task, corpus } of found) {
    const own: Override[] = [
      override("upstream.model", upstream),
      override("data.root", corpus.root),
      override("run.outDir", join(folder, task)),
      ...Object.entries(corpus.settings).map(([key, value]) => override(`data.${key}`, value)),
    ];
    const set = [...(quick ? quickSettings(task) : []), ...settingsFor(task, options.set)];
    const flags = [...givenFlags(command).filter(({ path }) => concerns(task, path.join("."))), ...own];
    jobs.push({ task, corpus, settings: await readSettings(taskNamed(task), undefined, { set, flags }) });
  }
  const { evaluateAll } = await import("../../library/evaluate-all.ts");
  const { runStoppable } = await import("../../training/signals.ts");
  const { followAll } = await import("./follow-all.ts");
  const stopping = () => output.note("stopping with a checkpoint; press again to stop at once");
  let hasFailed = false;
  const code = await runStoppable(stopping, async (signal) => {
    const events = evaluateAll({
      upstream,
      folder,
      dataRoot,
      jobs,
      missing,
      isQuick: quick,
      submission,
      resume,
      signal,
    });
    const ended = await namingFlags(() => followAll(events, output, json));
    hasFailed = ended === "failed";
    return ended !== "interrupted";
  });
  return hasFailed ? 1 : code;
}

/** @throws StillwaveError where there is no corpus of any task */
function lookFor(names: readonly TaskName[], dataRoot: string) {
  const found = names.flatMap((task) => {
    const corpus = findCorpus(task, dataRoot);
    return corpus ? [{ task, corpus }] : [];
  });
  const missing = names
    .filter((task) => !found.some((one) => one.task === task))
    .map((task) => ({ task, lookedFor: usualFolders(task).join(", ") }));
  if (found.length > 0) return { found, missing };
  const places = missing.map(({ task, lookedFor }) => `  ${task}: ${lookedFor}`).join("\n");
  throw new StillwaveError(`${dataRoot}: no corpus of ${names.join(", ")}; looked for\n${places}`);
}

const override = (path: string, value: unknown): Override => ({
  path: path.split("."),
  value,
  by: path,
  isFlag: true,
});

function tasksOf(given: readonly string[] | undefined, quick: boolean): TaskName[] {
  const all = Object.keys(TASKS) as TaskName[];
  if (!given) return quick ? all.filter((task) => QUICK_TASKS.includes(task)) : all;
  for (const name of given) if (!Object.hasOwn(TASKS, name)) throw unknownName("task", name, all);
  const twice = given.find((name, i) => given.indexOf(name) !== i);
  if (twice !== undefined) throw new UsageError(`--tasks: ${twice} is there twice`);
  return all.filter((task) => given.includes(task));
}

/** Whether a task has a setting: one of its own, or of all that train. What no task has is left for it to refuse. */
const concerns = (task: TaskName, path: string): boolean =>
  !(isSearch(TASKS[task]) && isAmong(path, OF_TRAINING)) &&
  (!isAmong(path, OWN_SETTINGS) || isAmong(path, TASKS[task].settings));

const pathOf = (set: string): string => set.split("=", 1)[0].trim();

/** @throws UsageError for a setting of every task that none of these has */
function refuseUnused(set: readonly string[] = [], tasks: readonly TaskName[]): void {
  const unused = set.find(
    (text) => !Object.hasOwn(TASKS, text.split(".", 1)[0]) && !tasks.some((task) => concerns(task, pathOf(text))),
  );
  if (unused !== undefined) throw new UsageError(`--set ${unused}: none of ${tasks.join(", ")} has such a setting`);
}

/** Settings of every task, and those that begin with this one's name. */
function settingsFor(task: TaskName, set: readonly string[] = []): string[] {
  return set.flatMap((text) => {
    const [first] = text.split(".", 1);
    if (first === task) return [text.slice(first.length + 1)];
    return Object.hasOwn(TASKS, first) || !concerns(task, pathOf(text)) ? [] : [text];
  });
}

/** `hubert-tiny-libri`, `quickstart-best`. */
function nameOf(model: string): string {
  const last = basename(resolve(model));
  const name = last === "best" || last === "last" ? `${basename(dirname(resolve(model)))}-${last}` : last;
  return name.replace(/\.(onnx|pt|ckpt|safetensors)$/, "");
}
