// stillwave transcribe: a trained speech or phoneme recognition head on new audio.

import { type Command, Option } from "commander";
import { nameOf, type RecordingPart } from "../data/recording.ts";
import { printable } from "../log/format.ts";
import type { FileRecognizer } from "../recognizer/node/load.ts";
import type { TimedPart, Transcript } from "../recognizer/recognizer.types.ts";
import type { DeviceChoice } from "../runtime/device.ts";
import { deviceOption, namingFlags, threadsOption } from "./flags.ts";
import { countingNumber, finiteNumber } from "./numbers.ts";
import type { Output } from "./output.ts";
import {
  checkStreamFlags,
  chunksOf,
  STANDARD_INPUT,
  type StreamFlags,
  streamFile,
  streamInput,
  streamOptions,
} from "./streaming/transcribe-stream.ts";
import { OVERLAP_FLAG, WINDOW_FLAG } from "./windows.ts";

const NOTHING = { utterances: [], badFiles: [], notes: [] } as const;

interface Flags extends StreamFlags {
  readonly upstream?: string;
  readonly beam?: number;
  readonly lm?: string;
  readonly spellings?: string;
  readonly lmWeight?: number;
  readonly wordScore?: number;
  readonly nbest: number;
  readonly times?: boolean;
  readonly onBadFile: "stop" | "skip";
  readonly device?: DeviceChoice;
  readonly threads?: number;
  readonly window?: number | "off";
  readonly overlap?: number;
  readonly json?: boolean;
}

export function transcribeVerb(program: Command, output: Output, finish: (code: number) => void): void {
  streamOptions(program.command("transcribe"))
    .description("write down what audio files say, with a head that `superb asr` or `superb pr` has trained")
    .argument("<run>", "folder of a finished evaluation")
    .argument("<audio...>", "audio files, folders, manifests (JSONL, JSON, CSV, TSV, Kaldi)")
    .option("--upstream <model>", "where the upstream lies now (default: where it lay in training)")
    .option("--beam <n>", "beam search with so many hypotheses (default: greedy)", countingNumber)
    .option("--lm <file>", "ARPA n-gram model of words, plain or gzipped")
    .option("--spellings <file>", "words that may be said, WORD W O R D | (default: the language model's)")
    .option("--lm-weight <x>", "weight of the language model (default: 2)", finiteNumber)
    .option("--word-score <x>", "added for each word (default: -1)", finiteNumber)
    .option("--nbest <n>", "transcripts to print, best first, of a beam search", countingNumber, 1)
    .option("--times", "also print when each word or phone is said")
    .option(...WINDOW_FLAG)
    .option(...OVERLAP_FLAG)
    .addOption(
      new Option("--on-bad-file <action>", "stop, or skip and go on").choices(["stop", "skip"]).default("stop"),
    )
    .addOption(deviceOption())
    .addOption(threadsOption())
    .option("--json", "one JSON object a file: path, seconds, text, parts with times, alternatives")
    .addHelpText(
      "after",
      [
        "",
        "Examples:",
        "  $ stillwave transcribe runs/superb-asr-student interview.flac --times",
        "  $ stillwave transcribe runs/superb-asr-student recordings/ --lm 4-gram.arpa.gz --nbest 3 --json",
        "  $ arecord -f S16_LE -r 16000 | stillwave transcribe phones.onnx --stream --chunk 0.32 -",
      ].join("\n"),
    )
    .action(async (run: string, audio: string[], flags: Flags) => finish(await transcribe(run, audio, flags, output)));
}

async function transcribe(run: string, audio: readonly string[], flags: Flags, output: Output): Promise<number> {
  const { loadRecognizer } = await import("../recognizer/node/load.ts");
  const { listSources } = await import("../extract/sources.ts");
  const { SAMPLE_RATE_HZ } = await import("../audio/index.ts");
  const { BadFiles, describeBad, reasonOf } = await import("../data/bad-files.ts");
  const { StillwaveError, UsageError } = await import("../errors.ts");
  const { upstream, device, threads, onBadFile, nbest, window, overlap } = flags;
  const decoding = decodingOf(flags);
  checkStreamFlags(flags, { ...decoding, nbest: nbest > 1, times: flags.times, window, overlap });
  if (nbest > 1 && !decoding) throw new UsageError("--nbest: greedy decoding has one answer; add --beam <n> or --lm");
  const files = flags.stream ? audio.filter((name) => name !== STANDARD_INPUT) : audio;
  const sources =
    flags.stream && files.length === 0 ? NOTHING : await namingFlags(() => listSources(files, { onBadFile }));
  for (const file of sources.badFiles) output.note(printable(`left out: ${nameOf(file)}: ${file.reason}`));
  const onNote = (text: string) => output.note(printable(text));
  sources.notes.forEach(onNote);
  const recognizer = await loadRecognizer(run, { device, threads, decoding, upstream, window, overlap, onNote });
  const bad = new BadFiles();
  for (const file of sources.badFiles) bad.add(file.path, file.reason, file);
  let used = 0;
  try {
    if (flags.stream) recognizer.stream(chunksOf(flags)); // wrong settings are no file's fault
    if (files.length < audio.length) {
      await streamInput(recognizer, process.stdin, flags, output);
      used++;
    }
    for (const source of sources.utterances) {
      const { path, samples } = source;
      try {
        if (flags.stream) await streamFile(recognizer, source, flags, output);
        else print(source, samples / SAMPLE_RATE_HZ, await answersOf(recognizer, source, nbest), flags, output);
        used++;
      } catch (error) {
        const file = { path, segment: source.segment, reason: reasonOf(error, path) };
        if (onBadFile === "stop") throw new StillwaveError(describeBad(file));
        bad.add(path, file.reason, source);
        output.note(printable(`left out: ${describeBad(file)}`));
      }
    }
  } finally {
    await recognizer.dispose();
  }
  bad.throwUnlessUsed(used);
  return 0;
}

function decodingOf({ beam, lm, spellings: lexicon, lmWeight, wordScore }: Flags) {
  const given = Object.entries({ beam, lm, lexicon, lmWeight, wordScore }).filter(([, value]) => value !== undefined);
  return given.length > 0 ? Object.fromEntries(given) : undefined;
}

/** A reading, or a class as one part that lasts as long as the recording. */
type Answer = Pick<Transcript, "text" | "score" | "parts">;

async function answersOf(
  recognizer: FileRecognizer,
  source: RecordingPart & { readonly samples: number },
  count: number,
): Promise<Answer[]> {
  if (recognizer.facts.kind === "ctc") {
    const { alternatives, ...best } = await recognizer.transcribe(source, { nbest: count });
    return [best, ...alternatives];
  }
  const { classes, seconds } = await recognizer.classify(source, { top: count });
  return classes.map(({ label, probability }): Answer => {
    const whole: TimedPart = { text: label, startSeconds: 0, endSeconds: seconds, confidence: probability };
    return { text: label, score: null, parts: [whole] };
  });
}

function print(source: RecordingPart, seconds: number, results: readonly Answer[], flags: Flags, output: Output): void {
  const { path, segment } = source;
  const [best, ...alternatives] = results;
  const { text = "", score = null, parts = [] } = best ?? {};
  if (flags.json) {
    output.jsonLine({ path, ...(segment && { segment }), seconds, text, score, parts, alternatives });
    return;
  }
  output.print(`${printable(nameOf(source))}\t${printable(text)}`);
  for (const { text, score } of alternatives) output.print(`\t${printable(text)}\t${score?.toFixed(3)}`);
  if (flags.times)
    for (const { text, startSeconds, endSeconds } of parts)
      output.print(`\t${startSeconds.toFixed(2)}\t${endSeconds.toFixed(2)}\t${printable(text)}`);
}
