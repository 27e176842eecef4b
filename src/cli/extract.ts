// stillwave extract: hidden states of audio files, one file an utterance.
import { type Command, InvalidArgumentError, Option } from "commander";
import type { LoadOptions } from "../checkpoint/index.ts";
import type { ExtractEvent } from "../extract/run.ts";
import type { ExtractFilesOptions } from "../extract/settings.ts";
import type { DeviceChoice } from "../runtime/device.ts";
import { deviceOption, namingFlags, threadsOption } from "./flags.ts";
import { countingNumber, numberList } from "./numbers.ts";
import type { Output } from "./output.ts";
import { OVERLAP_FLAG, WINDOW_FLAG } from "./windows.ts";

interface Options
  extends LoadOptions,
    Pick<
      ExtractFilesOptions,
      | "format"
      | "layers"
      | "heads"
      | "dtype"
      | "batchSeconds"
      | "isolate"
      | "window"
      | "overlap"
      | "onBadFile"
      | "force"
    > {
  readonly out: string;
  readonly device?: DeviceChoice;
  readonly threads?: number;
  readonly json?: boolean;
}

export function extractVerb(program: Command, output: Output, finish: (code: number) => void): void {
  const choice = (flags: string, text: string, values: string[]) => new Option(flags, text).choices(values);
  program
    .command("extract")
    .description("write hidden states of audio files, one file an utterance")
    .argument("<model>", "model folder, checkpoint or Hugging Face id")
    .argument("<audio...>", "audio files, folders, manifests (JSONL, JSON, CSV, TSV, Kaldi)")
    .requiredOption("--out <dir>", "folder to write into; a later run with the same options goes on there")
    .addOption(
      choice("--format <name>", "npy [layers, frames, dim] or safetensors with named tensors", [
        "npy",
        "safetensors",
      ]).default("npy"),
    )
    .option("--layers <list>", "all, or numbers: 0 is the encoder's input, i the output of the i-th layer, the last after the final norm", layers, "all") // biome-ignore format: one line
    .option("--heads", "outputs of the heads instead of the layers")
    .addOption(choice("--dtype <type>", "how numbers are stored", ["float32", "float16"]).default("float32"))
    .option("--batch-seconds <n>", "most seconds in a batch, 0: one utterance at a time (default: 60)", seconds)
    .option("--isolate", "an utterance's numbers do not depend on its batch (GroupNorm over its own samples)")
    .option(...WINDOW_FLAG)
    .option(...OVERLAP_FLAG)
    .addOption(choice("--on-bad-file <what>", "stop, or go on without bad files", ["stop", "skip"]).default("stop"))
    .addOption(choice("--part <part>", "which model of a distillation checkpoint", ["student", "teacher"]))
    .option(
      "--teacher-heads <n>",
      "attention heads of a Lightning checkpoint's teacher, where it is not known",
      countingNumber,
    )
    .addOption(choice("--reuse <semantics>", "how reusing layers apply a map", ["exact", "official"]))
    .addOption(deviceOption())
    .addOption(threadsOption())
    .option("--force", "start over where the folder holds features made otherwise; replace files that are in the way")
    .option("--json", "print what happens as JSON, one event a line")
    .addHelpText(
      "after",
      [
        "",
        "Examples:",
        "  $ stillwave extract runs/arm-s/best speech/ --out features --layers 0,6,12",
        "  $ stillwave extract facebook/hubert-base-ls960 a.flac b.wav --out features --format safetensors --dtype float16",
        "",
        "Started by mpirun, srun or torchrun, all processes share out the files (docs/accelerators.md).",
        "Ctrl-C keeps what is written; the same command goes on.",
      ].join("\n"),
    )
    .action(async (model: string, audio: string[], options: Options) =>
      finish(await namingFlags(() => run(model, audio, options, output))),
    );
}

async function run(source: string, inputs: readonly string[], options: Options, output: Output): Promise<number> {
  const { extractFiles } = await import("../extract/run.ts");
  const { out: outDir, part, reuse, teacherHeads, device, threads, json = false, ...rest } = options;
  const { loadCheckpoint } = await import("../checkpoint/index.ts");
  const { createRuntime } = await import("../runtime/node/index.ts");
  const { printable } = await import("../log/index.ts");
  const { digestOf, together } = await import("../processes/together.ts");
  const { runStoppable } = await import("../training/signals.ts");
  const about = `extract ${digestOf({ source, inputs, outDir, part, reuse, teacherHeads, ...rest })}`;
  const stopping = () => output.note("stopping after this batch; press again to stop at once");
  return runStoppable(stopping, (signal) =>
    together(about, signal, async (group) => {
      const model = await loadCheckpoint(source, { part, reuse, teacherHeads });
      if (!group?.rank) for (const note of model.info.notes) output.note(`${printable(source)}: ${printable(note)}`);
      const runtime = await createRuntime({ device, threads });
      const events = extractFiles({ model, runtime, inputs, outDir, ...rest, signal }, group);
      return !(await (group?.rank ? followPart(events, output, group.rank) : follow(events, output, json)));
    }),
  );
}

/** Says what a process that does not write the manifest has done; true if it was interrupted. */
async function followPart(events: AsyncIterable<ExtractEvent>, output: Output, rank: number): Promise<boolean> {
  let interrupted = false;
  for await (const event of events) {
    if (event.kind !== "done" && event.kind !== "interrupted") continue;
    interrupted = event.kind === "interrupted";
    output.note(`process ${rank}: ${event.written} files written${interrupted ? "; interrupted" : ""}`);
  }
  return interrupted;
}

/** Shows the run; true if it was interrupted. */
async function follow(events: AsyncIterable<ExtractEvent>, output: Output, json: boolean): Promise<boolean> {
  const { formatDuration, printable, startProgress } = await import("../log/index.ts");
  let progress: ReturnType<typeof startProgress> | undefined;
  let interrupted = false;
  let began = performance.now();
  const note = (text: string) => (progress ? progress.note(text) : output.note(printable(text)));
  try {
    for await (const event of events) {
      if (event.kind === "interrupted") interrupted = true;
      if (json) output.jsonLine(event);
      else if (event.kind === "note") note(event.text);
      else if (event.kind === "window")
        note(`${event.path}: ${formatDuration(event.seconds)} of ${formatDuration(event.totalSeconds)}`);
      else if (event.kind === "start") {
        const left = event.utterances - event.finished;
        output.note(
          `${event.utterances} utterances, ${formatDuration(event.seconds)}${event.finished > 0 ? `; ${event.finished} are done, ${left} are left` : ""}`,
        );
        began = performance.now();
        if (left > 0)
          progress = startProgress({
            label: "extract",
            total: event.utterances,
            startedAt: event.finished,
            unit: "file",
          });
      } else if (event.kind === "file") {
        const audioSecondsPerSecond = event.seconds / Math.max(1e-3, (performance.now() - began) / 1000);
        progress?.update(event.done, { audioSecondsPerSecond });
      } else {
        progress?.finish();
        const { outDir, written, skipped, badFiles } = event;
        const bad = badFiles.length > 0 ? `, ${badFiles.length} bad files left out` : "";
        const again = event.kind === "interrupted" ? "; interrupted: the same command goes on" : "";
        output.print(`${printable(outDir)}: ${written} files written, ${skipped} were there${bad}${again}`);
      }
    }
  } finally {
    progress?.finish();
  }
  return interrupted;
}

const numbers = numberList("all or numbers such as 0,6,12");
const layers = (text: string) => (text.trim() === "all" ? "all" : numbers(text));

function seconds(text: string): number {
  const value = Number(text);
  if (value >= 0 && Number.isFinite(value)) return value;
  throw new InvalidArgumentError("expected a number of seconds, 0 or more.");
}
