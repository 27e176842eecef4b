// stillwave streaming: what reading chunk by chunk costs beside reading whole: error rate, latency, computation.
import type { Command } from "commander";
import type { Prediction } from "../../metrics/predictions.ts";
import type { MeasuredSetting, StreamingMeasurement } from "../../report/streaming/measure.ts";
import type { DeviceChoice } from "../../runtime/device.ts";
import type { ChunkSeconds } from "../../streaming/stream.types.ts";
import { collect } from "../collect.ts";
import { deviceOption, threadsOption } from "../flags.ts";
import { countingNumber } from "../numbers.ts";
import type { Output } from "../output.ts";
import { formatTable } from "../table.ts";

interface Options {
  readonly on?: string;
  readonly setting?: readonly string[];
  readonly utterances?: number;
  readonly upstream?: string;
  readonly out?: string;
  readonly device?: DeviceChoice;
  readonly threads?: number;
  readonly json?: boolean;
}

/** Chunk, left and right in seconds. */
const USUAL_SETTINGS = ["0.32/2.56/0.16", "0.64/2.56/0.32", "1.28/2.56/0.64"];
const TEST_PREDICTIONS = "predictions/test.jsonl";

export function streamingVerb(program: Command, output: Output, finish: (code: number) => void): void {
  program
    .command("streaming")
    .description("what streaming costs: error rates of chunks and of the whole, latency, computation")
    .argument("<recognizer>", "exported recogniser (.onnx), or folder of a run of `superb` or `finetune`")
    .option("--on <file>", `predictions with references and audio, JSONL (default: the run's ${TEST_PREDICTIONS})`)
    .option("--setting <chunk/left/right>", `in seconds (repeatable; default: ${USUAL_SETTINGS.join(", ")})`, collect)
    .option("--utterances <n>", "at most so many, evenly spaced (default: all)", countingNumber)
    .option("--upstream <model>", "of a run: where the upstream lies now")
    .option("--out <file.html>", "write a page")
    .addOption(deviceOption())
    .addOption(threadsOption())
    .option("--json", "print the result as JSON")
    .addHelpText(
      "after",
      [
        "",
        "Examples:",
        "  $ stillwave streaming runs/superb-pr-student --out streaming.html",
        "  $ stillwave streaming phones.onnx --on runs/superb-pr-student/predictions/test.jsonl --setting 0.16/1.28/0",
      ].join("\n"),
    )
    .action(async (recognizer: string, options: Options) => {
      await run(recognizer, options, output);
      finish(0);
    });
}

async function run(place: string, options: Options, output: Output): Promise<void> {
  const { basename, join, resolve } = await import("node:path");
  const { loadRecognizer } = await import("../../recognizer/node/load.ts");
  const { measureStreaming } = await import("../../report/streaming/measure.ts");
  const { UsageError } = await import("../../errors.ts");
  const settings = await settingsOf(options.setting ?? USUAL_SETTINGS);
  const { device, threads, upstream } = options;
  const onNote = (text: string) => output.note(text);
  const recognizer = await loadRecognizer(place, { device, threads, upstream, onNote });
  try {
    if (recognizer.facts.kind !== "ctc")
      throw new UsageError(
        `${place}: its answers are classes; error rates are counted where words or phones are written`,
      );
    const file = options.on ?? join(place, TEST_PREDICTIONS);
    const speech = await speechOf(file, options.utterances);
    const measurement = await measureStreaming(recognizer, speech, {
      settings,
      onProgress: (done, total) => {
        if (done % 50 === 0) output.note(`${done} of ${total} utterances`);
      },
    });
    if (options.json) output.json(measurement);
    else output.print(tableOf(measurement));
    if (options.out)
      await writePage(options.out, { recognizer: basename(resolve(place)), speech: file, measurement }, threads);
  } finally {
    await recognizer.dispose();
  }
}

async function settingsOf(texts: readonly string[]): Promise<ChunkSeconds[]> {
  const { UsageError } = await import("../../errors.ts");
  return texts.map((text) => {
    const parts = text.split("/").map((part) => (part.trim() === "" ? Number.NaN : Number(part)));
    if (parts.length !== 3 || parts.some((part) => !Number.isFinite(part)))
      throw new UsageError(`--setting: "${text}"; expected chunk/left/right in seconds, such as 0.64/2.56/0.32`);
    const [chunk, left, right] = parts;
    return { chunk, left, right };
  });
}

/** Utterances with their audio. @throws StillwaveError for a line that names none */
async function speechOf(file: string, most: number | undefined) {
  const { readPredictions } = await import("../../metrics/predictions.ts");
  const { loadAudio } = await import("../../audio/index.ts");
  const { StillwaveError } = await import("../../errors.ts");
  const all = await readPredictions(file);
  const step = most === undefined ? 1 : Math.max(1, all.length / most);
  const chosen = Array.from({ length: Math.min(all.length, most ?? all.length) }, (_, i) => all[Math.floor(i * step)]);
  return chosen.map(({ id, reference, audio, segment }: Prediction) => {
    if (audio === undefined)
      throw new StillwaveError(`${file}: "${id}" names no audio; give predictions as JSONL of \`stillwave superb\``);
    return { id, reference, read: () => loadAudio(audio, segment) };
  });
}

function tableOf({ metric, utterances, whole, settings }: StreamingMeasurement): string {
  const row = ({ facts, rate, loss, realTimeFactor, chunkSeconds, firstSeconds }: MeasuredSetting) => [
    [facts.chunk, facts.left, facts.right].map((value) => value.toFixed(2)).join("/"),
    facts.latencySeconds.toFixed(3),
    rate.toFixed(2),
    `${loss.estimate.toFixed(2)} (${loss.low.toFixed(2)} to ${loss.high.toFixed(2)})`,
    firstSeconds.median.toFixed(2),
    realTimeFactor.toFixed(3),
    (1000 * chunkSeconds.high).toFixed(0),
  ];
  const header = [
    "chunk/left/right s",
    "latency s",
    metric,
    "loss (95 %)",
    "first s",
    "real-time factor",
    "ms a chunk (95 %)",
  ];
  const first = ["whole", "", whole.rate.toFixed(2), "", "", whole.realTimeFactor.toFixed(3), ""];
  return `${formatTable(header, [first, ...settings.map(row)], [0])}\n${utterances} utterances`;
}

async function writePage(
  out: string,
  content: { readonly recognizer: string; readonly speech: string; readonly measurement: StreamingMeasurement },
  threads: number | undefined,
): Promise<void> {
  const { availableParallelism, cpus } = await import("node:os");
  const { writeFileAtomic } = await import("../../files.ts");
  const { writeStreamingPage } = await import("../../report/streaming/page.ts");
  const machine = `${cpus()[0]?.model ?? "unknown processor"}, ${threads ?? availableParallelism()} threads, Node ${process.versions.node}`;
  await writeFileAtomic(out, writeStreamingPage({ ...content, machine }));
}
