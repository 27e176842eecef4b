// stillwave superb pr|asr|ks|sid|ic: one evaluation of one upstream.
import { basename, join, resolve } from "node:path";
import { type Command, InvalidArgumentError, Option } from "commander";
import { UsageError } from "../../errors.ts";
import type { EvaluationOptions } from "../../superb/run/evaluation.types.ts";
import type { TaskName } from "../../superb/run/result.types.ts";
import { collect } from "../collect.ts";
import { namingFlags } from "../flags.ts";
import { countingNumber, finiteNumber, positiveNumber, wholeNumber } from "../numbers.ts";
import type { Output } from "../output.ts";

const TITLES: Readonly<Record<TaskName, string>> = {
  pr: "phoneme recognition: PER of a linear head",
  asr: "speech recognition: WER of a bidirectional LSTM head",
  ks: "keyword spotting: accuracy",
  sid: "speaker identification: accuracy",
  ic: "intent classification: accuracy",
};

interface Flags {
  readonly upstream: string;
  readonly data: string;
  readonly out?: string;
  readonly lr?: "sweep" | readonly number[];
  readonly protocol?: "fixed" | "superb";
  readonly steps?: number;
  readonly sweepSteps?: number;
  readonly batch?: number;
  readonly accumulate?: number;
  readonly evalEvery?: number;
  readonly patience?: number;
  readonly schedule?: "constant" | "warmup";
  readonly warmup?: number;
  readonly clip?: number;
  readonly specaugment?: boolean;
  readonly seed?: number;
  readonly projection?: number;
  readonly hidden?: number;
  readonly stack?: number;
  readonly normalizeStates?: boolean;
  readonly states?: "auto" | "heads" | "layers" | "all";
  readonly part?: "student" | "teacher";
  readonly reuse?: "exact" | "official";
  readonly teacherHeads?: number;
  readonly cache: string | boolean;
  readonly dtype?: "float16" | "float32";
  readonly train?: readonly string[];
  readonly dev?: readonly string[];
  readonly test?: readonly string[];
  readonly lexicon?: readonly string[];
  readonly phones?: string;
  readonly stress?: "stressed" | "folded";
  readonly labels?: readonly string[];
  readonly testData?: string;
  readonly splitFile?: string;
  readonly onBadFile: "stop" | "skip";
  readonly lm?: string;
  readonly spellings?: string;
  readonly beam?: number;
  readonly lmWeight?: number;
  readonly wordScore?: number;
  readonly device: "cpu" | "cuda" | "webgpu" | "auto";
  readonly threads?: number;
  readonly resume?: boolean;
  readonly force?: boolean;
  readonly json?: boolean;
}

export function taskVerbs(group: Command, output: Output, finish: (code: number) => void): void {
  for (const name of Object.keys(TITLES) as TaskName[]) {
    const command = group.command(name).description(TITLES[name]);
    generalFlags(command);
    if (name === "pr" || name === "asr") ctcFlags(command, name);
    else classFlags(command, name);
    command
      .addHelpText(
        "after",
        `\nExample:\n  $ stillwave superb ${name} ${EXAMPLES[name]}\n\nCtrl-C keeps a checkpoint; --resume goes on.`,
      )
      .action(async (flags: Flags) => finish(await run(name, flags, output)));
  }
}

const EXAMPLES: Readonly<Record<TaskName, string>> = {
  pr: "--upstream runs/quickstart/best --data LibriSpeech --lexicon lexicon.txt",
  asr: "--upstream facebook/hubert-base-ls960 --data LibriSpeech --lm 4-gram.arpa.gz",
  ks: "--upstream runs/quickstart/best --data speech_commands",
  sid: "--upstream student.onnx --data VoxCeleb1 --lr sweep",
  ic: "--upstream fbank --data fluent_speech_commands_dataset",
};

function generalFlags(command: Command): void {
  command
    .requiredOption("--upstream <model>", "model folder, checkpoint, Hugging Face id, exported .onnx, fbank or mfcc")
    .requiredOption("--data <dir>", "the corpus")
    .option("--out <dir>", "folder of the run (default: runs/superb-<task>-<upstream>)")
    .option("--lr <rates>", "learning rate, a list 1e-2,1e-3, or sweep (1e-1 to 1e-7); dev chooses", rates)
    .addOption(
      new Option(
        "--protocol <name>",
        "fixed: train until dev stops improving; superb: the benchmark's number of updates (default: fixed)",
      ).choices(["fixed", "superb"]),
    )
    .option("--steps <n>", "most optimiser updates", countingNumber)
    .option("--sweep-steps <n>", "updates after which only the best learning rate goes on", countingNumber)
    .option("--batch <n>", "utterances in a batch", countingNumber)
    .option("--accumulate <n>", "batches to an update", countingNumber)
    .option("--eval-every <n>", "updates between evaluations on dev", countingNumber)
    .option("--patience <n>", "evaluations without improvement that end training; 0: never", wholeNumber)
    .addOption(
      new Option("--schedule <name>", "learning rate: constant, or warmup and linear to zero").choices([
        "constant",
        "warmup",
      ]),
    )
    .option("--warmup <n>", "updates of warm-up, with --schedule warmup", wholeNumber)
    .option("--clip <norm>", "largest norm of a gradient", positiveNumber)
    .option("--seed <n>", "of initial weights, batches and dropout", wholeNumber)
    .option("--projection <n>", "width of the head's first linear layer", countingNumber)
    .option("--normalize-states", "LayerNorm of each hidden state before the weighted sum")
    .addOption(
      new Option(
        "--states <which>",
        "hidden states: heads of a student, layers, all (with the first layer's input)",
      ).choices(["auto", "heads", "layers", "all"]),
    )
    .addOption(new Option("--part <part>", "of a Lightning checkpoint").choices(["student", "teacher"]))
    .addOption(new Option("--reuse <semantics>", "how reused maps are applied").choices(["exact", "official"]))
    .option("--teacher-heads <n>", "heads of the teacher of a Lightning checkpoint", countingNumber)
    .option("--cache <dir>", "where hidden states are kept (default: the user's cache folder)")
    .option("--no-cache", "make hidden states again whenever they are needed")
    .addOption(new Option("--dtype <type>", "of cached hidden states").choices(["float32", "float16"]))
    .addOption(new Option("--on-bad-file <action>", "stop, or skip and list").choices(["stop", "skip"]).default("stop"))
    .addOption(
      new Option("--device <name>", "where models and heads run")
        .choices(["cpu", "cuda", "webgpu", "auto"])
        .default("cpu"),
    )
    .option("--threads <n>", "threads inside one operation (default: all cores)", countingNumber)
    .option("--resume", "go on with the run in --out")
    .option("--force", "with --resume: although options, data or upstream have changed")
    .option("--json", "print what happens as JSON, one event a line");
}

function ctcFlags(command: Command, name: "pr" | "asr"): void {
  command
    .option("--train <split>", "split to train on (repeatable; default: train-clean-100, or train)", collect)
    .option("--dev <split>", "split that chooses (default: dev-clean, or dev)", collect)
    .option("--test <split>", "split that is tested (default: test-clean, or test)", collect)
    .option("--beam <n>", "also decode by beam search with so many hypotheses", countingNumber);
  if (name === "pr")
    command
      .option("--lexicon <file>", "pronunciations WORD P H O N E S (repeatable, in order)", collect)
      .option("--phones <file>", "phones of every utterance (default: phones.txt of the corpus)")
      .addOption(new Option("--stress <kind>", "stress marks of vowels").choices(["stressed", "folded"]));
  else
    command
      .option("--hidden <n>", "LSTM units per direction (recipe: 1024)", countingNumber)
      .option("--stack <n>", "neighbouring frames the LSTM reads as one (recipe: 1)", countingNumber)
      .option("--no-specaugment", "train without SpecAugment")
      .option("--lm <file>", "also decode with an ARPA n-gram model, plain or gzipped")
      .option("--spellings <file>", "words of that decoder, WORD W O R D | (default: the model's words)")
      .option("--lm-weight <x>", "weight of the language model (recipe: 2)", finiteNumber)
      .option("--word-score <x>", "added for each word (recipe: -1)", finiteNumber);
}

function classFlags(command: Command, name: "ks" | "sid" | "ic"): void {
  const column = { ks: "label", sid: "speaker", ic: "action,object,location" }[name];
  command.option("--labels <columns>", `columns of labels.tsv (default: ${column})`, (text: string) => text.split(","));
  if (name === "ks") command.option("--test-data <dir>", "the separate test archive of Speech Commands");
  if (name === "sid") command.option("--split-file <file>", "VoxCeleb1's official split file");
}

/** `runs/superb-pr-hubert-tiny-libri`. */
function defaultOut(task: string, upstream: string): string {
  const parts = resolve(upstream).split("/");
  const last = basename(upstream);
  // best and last are what every run calls its models
  const name = last === "best" || last === "last" ? `${parts.at(-2)}-${last}` : last;
  return join("runs", `superb-${task}-${name.replace(/\.(onnx|pt|ckpt|safetensors)$/, "")}`);
}

const defined = <T extends object>(values: T): T =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as T;

function optionsOf(task: TaskName, flags: Flags): Omit<EvaluationOptions, "signal"> {
  const { train, dev, test, lm, spellings, beam, lmWeight, wordScore, cache } = flags;
  const decoding = defined({ lm, lexicon: spellings, beam, lmWeight, wordScore });
  if (flags.force && !flags.resume) throw new UsageError("--force goes with --resume");
  return defined({
    task,
    upstream: flags.upstream,
    upstreamOptions: defined({
      states: flags.states,
      part: flags.part,
      reuse: flags.reuse,
      teacherHeads: flags.teacherHeads,
    }),
    corpus: defined({
      root: flags.data,
      splits: defined({ train, dev, test }),
      lexicon: flags.lexicon,
      phones: flags.phones,
      stress: flags.stress,
      labelColumns: flags.labels,
      testRoot: flags.testData,
      splitFile: flags.splitFile,
      onBadFile: flags.onBadFile,
    }),
    outDir: flags.out ?? defaultOut(task, flags.upstream),
    training: defined({
      protocol: flags.protocol,
      learningRates: flags.lr,
      steps: flags.steps,
      sweepSteps: flags.sweepSteps,
      batchSize: flags.batch,
      accumulate: flags.accumulate,
      clip: flags.clip,
      evaluateEvery: flags.evalEvery,
      patience: flags.patience,
      schedule: flags.schedule,
      warmup: flags.warmup,
      specAugment: flags.specaugment === false ? false : undefined,
      seed: flags.seed,
      projection: flags.projection,
      hidden: flags.hidden,
      stack: flags.stack,
      normalizeStates: flags.normalizeStates,
    }),
    decoding: Object.keys(decoding).length > 0 ? decoding : undefined,
    cacheRoot: cache === false ? null : typeof cache === "string" ? cache : undefined,
    dtype: flags.dtype,
    resume: flags.resume,
    force: flags.force,
    device: flags.device,
    threads: flags.threads,
  });
}

async function run(task: TaskName, flags: Flags, output: Output): Promise<number> {
  const { evaluateRun } = await import("../../superb/run/evaluate-run.ts");
  const { exitCodeOf, stopOnSignals } = await import("../../training/signals.ts");
  const { followEvaluation } = await import("./follow.ts");
  const options = optionsOf(task, flags);
  const stop = stopOnSignals(() => output.note("stopping with a checkpoint; press again to stop at once"));
  try {
    const events = evaluateRun({ ...options, signal: stop.signal });
    const ended = await namingFlags(() => followEvaluation(events, output, flags.json ?? false));
    if (ended === "done") return 0;
    const signal = stop.received();
    return signal ? exitCodeOf(signal) : 1;
  } finally {
    stop.dispose();
  }
}

function rates(text: string): "sweep" | readonly number[] {
  if (text === "sweep") return "sweep";
  const list = text.split(",").map((item) => (item.trim() === "" ? Number.NaN : Number(item)));
  if (list.some((rate) => !(rate > 0 && Number.isFinite(rate))))
    throw new InvalidArgumentError("expected sweep or numbers such as 1e-2,1e-3.");
  return list;
}
