// stillwave transcribe: a trained speech or phoneme recognition head on new audio.

import { type Command, Option } from "commander";
import { nameOf, type RecordingPart } from "../data/recording.ts";
import { UsageError } from "../errors.ts";
import { printable } from "../log/format.ts";
import { SAMPLE_RATE_HZ } from "../models/config.ts";
import type { NamedTranscript } from "../recognizer/formats/transcript-formats.ts";
import type { FileRecognizer, FileRecognizerInput } from "../recognizer/node/load.ts";
import type { Transcript } from "../recognizer/recognizer.types.ts";
import type { DeviceChoice } from "../runtime/device.ts";
import type { TimedPart } from "../streaming/stream.types.ts";
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
  streamPieces,
} from "./streaming/transcribe-stream.ts";
import { formatList, type WritingFlags } from "./transcripts/write.ts";
import { OVERLAP_FLAG, WINDOW_FLAG } from "./windows.ts";

interface Flags extends WritingFlags, StreamFlags {
  readonly mic?: boolean;
  readonly micDevice?: string;
  readonly upstream?: string;
  readonly beam?: number;
  readonly lm?: string;
  readonly spellings?: string;
  readonly lmWeight?: number;
  readonly wordScore?: number;
  readonly nbest: number;
  readonly onBadFile: "stop" | "skip";
  readonly device?: DeviceChoice;
  readonly threads?: number;
  readonly window?: number | "off";
  readonly overlap?: number;
}

export function transcribeVerb(program: Command, output: Output, finish: (code: number) => void): void {
  streamOptions(program.command("transcribe"))
    .description("write down what recordings say, or name their class, with a recogniser or a run that trained one")
    .argument(
      "<model>",
      "recogniser that `stillwave export` wrote (.onnx), a run of superb or finetune, or the id of a pushed one",
    )
    .argument("[audio...]", "audio files, folders, manifests (JSONL, JSON, CSV, TSV, Kaldi), or - for standard input")
    .option("--mic", "record from a microphone through arecord or ffmpeg until Ctrl-C, then print the text")
    .option("--mic-device <name>", "with --mic: as that program calls it, such as hw:1")
    .option(
      "--format <list>",
      "txt, srt, vtt, tsv, json, ctm, several by commas (default: name and text a line)",
      formatList,
    )
    .option("--output-dir <dir>", "write a file for each recording and format there (default format: txt)")
    .option("--force", "with --output-dir: replace files that are there")
    .option("--upstream <model>", "of a run: where its upstream lies now (default: where it lay in training)")
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
        "  $ stillwave transcribe phones.onnx talk.mp3 --format srt,json --output-dir transcripts",
        "  $ ffmpeg -i talk.mp4 -f flac - | stillwave transcribe phones.onnx -",
        "  $ arecord -f S16_LE -r 16000 | stillwave transcribe phones.onnx --stream --chunk 0.32 -",
      ].join("\n"),
    )
    .action(async (model: string, audio: string[], flags: Flags) =>
      finish(await transcribe(model, audio, flags, output)),
    );
}

/** Something to transcribe, and the name of what is written of it. */
interface Recording extends RecordingPart {
  readonly id: string;
  readonly samples: number;
  /** Where it is no file. */
  readonly wave?: Float32Array;
}

async function transcribe(model: string, audio: readonly string[], flags: Flags, output: Output): Promise<number> {
  const { loadRecognizer } = await import("../recognizer/node/load.ts");
  const { BadFiles, describeBad, reasonOf } = await import("../data/bad-files.ts");
  const { transcriptWriter } = await import("./transcripts/write.ts");
  const { StillwaveError } = await import("../errors.ts");
  const { upstream, device, threads, onBadFile, window, overlap } = flags;
  const decoding = decodingOf(flags);
  checkFlags(audio, flags, decoding);
  const { recordings, badFiles } = await listRecordings(audio, flags, output);
  const write = transcriptWriter(
    flags,
    [...recordings.map(({ id }) => id), ...(flags.mic ? ["microphone"] : [])],
    output,
  );
  const onNote = (text: string) => output.note(printable(text));
  const recognizer = await loadRecognizer(model, { device, threads, decoding, upstream, window, overlap, onNote });
  const bad = new BadFiles();
  for (const file of badFiles) bad.add(file.path, file.reason, file);
  let used = 0;
  try {
    if (flags.stream) recognizer.stream(chunksOf(flags)); // wrong settings are no file's fault
    const given = flags.mic ? await heardByMicrophone(recognizer, flags, output) : recordings;
    if (flags.mic && flags.stream) return 0;
    for (const source of given) {
      const { path } = source;
      try {
        await transcribeOne(recognizer, source, { flags, write, output });
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

function checkFlags(audio: readonly string[], flags: Flags, decoding: object | undefined): void {
  const { nbest, mic, micDevice, times, window, overlap, format, outputDir } = flags;
  checkStreamFlags(flags, { ...decoding, nbest: nbest > 1, times, window, overlap, format, "output-dir": outputDir });
  if (nbest > 1 && !decoding) throw new UsageError("--nbest: greedy decoding has one answer; add --beam <n> or --lm");
  if (micDevice !== undefined && !mic) throw new UsageError("--mic-device names a microphone; add --mic");
  if (mic && audio.length > 0) throw new UsageError("--mic records; give it no audio files beside");
  if (!mic && audio.length === 0)
    throw new UsageError("nothing to transcribe: give audio files or folders, - for standard input, or --mic");
}

/** Files, and standard input where `-` stands: all of it, or, where it is streamed, nothing yet. */
async function listRecordings(audio: readonly string[], { onBadFile, mic, stream }: Flags, output: Output) {
  if (mic) return { recordings: [], badFiles: [] };
  const { listSources } = await import("../extract/sources.ts");
  const { readStandardInput } = await import("./transcripts/live-audio.ts");
  const files = audio.filter((name) => name !== STANDARD_INPUT);
  const recordings: Recording[] = [];
  if (files.length < audio.length) {
    const wave = stream ? new Float32Array(0) : await readStandardInput(process.stdin);
    recordings.push({ id: "stdin", path: stream ? STANDARD_INPUT : "standard input", samples: wave.length, wave });
  }
  if (files.length === 0) return { recordings, badFiles: [] };
  const { utterances, badFiles, notes } = await namingFlags(() => listSources(files, { onBadFile }));
  for (const file of badFiles) output.note(printable(`left out: ${nameOf(file)}: ${file.reason}`));
  for (const note of notes) output.note(printable(note));
  return { recordings: [...recordings, ...utterances], badFiles };
}

/** Records until Ctrl-C, or until the program that records ends; what is streamed is told while it is said. */
async function heardByMicrophone(recognizer: FileRecognizer, flags: Flags, output: Output): Promise<Recording[]> {
  const { asWave, openMicrophone } = await import("./transcripts/live-audio.ts");
  const { program, pieces, stop } = openMicrophone(flags.micDevice);
  process.on("SIGINT", stop);
  output.note(`recording with ${program}; Ctrl-C ends it`);
  try {
    if (flags.stream) {
      await streamPieces(recognizer, pieces, { name: "microphone", flags, output });
      return [];
    }
    const wave = await asWave(pieces);
    return [{ id: "microphone", path: "microphone", samples: wave.length, wave }];
  } finally {
    process.off("SIGINT", stop);
  }
}

interface Telling {
  readonly flags: Flags;
  readonly write: ((transcript: NamedTranscript) => Promise<void>) | undefined;
  readonly output: Output;
}

async function transcribeOne(recognizer: FileRecognizer, source: Recording, { flags, write, output }: Telling) {
  if (flags.stream)
    return source.wave
      ? streamInput(recognizer, process.stdin, flags, output)
      : streamFile(recognizer, source, flags, output);
  const answers = await answersOf(recognizer, source.wave ?? source, flags.nbest);
  if (write) await write(named(source, answers));
  else print(source, answers, flags, output);
}

function decodingOf({ beam, lm, spellings: lexicon, lmWeight, wordScore }: Flags) {
  const given = Object.entries({ beam, lm, lexicon, lmWeight, wordScore }).filter(([, value]) => value !== undefined);
  return given.length > 0 ? Object.fromEntries(given) : undefined;
}

/** A reading, or a class as one part that lasts as long as the recording. */
type Answer = Pick<Transcript, "text" | "score" | "parts" | "confidence">;

async function answersOf(recognizer: FileRecognizer, source: FileRecognizerInput, count: number): Promise<Answer[]> {
  if (recognizer.facts.kind === "ctc") {
    const { alternatives, ...best } = await recognizer.transcribe(source, { nbest: count });
    return [best, ...alternatives];
  }
  const { classes, seconds } = await recognizer.classify(source, { top: count });
  return classes.map(({ label, probability }): Answer => {
    const whole: TimedPart = { text: label, startSeconds: 0, endSeconds: seconds, confidence: probability };
    return { text: label, score: null, parts: [whole], confidence: probability };
  });
}

function named({ id, path, samples }: Recording, [best, ...alternatives]: readonly Answer[]): NamedTranscript {
  return { id, path, seconds: samples / SAMPLE_RATE_HZ, ...best, alternatives };
}

function print(source: Recording, results: readonly Answer[], flags: Flags, output: Output): void {
  const { path, segment } = source;
  const [best, ...alternatives] = results;
  const { text = "", score = null, parts = [], confidence = null } = best ?? {};
  if (flags.json) {
    const seconds = source.samples / SAMPLE_RATE_HZ;
    output.jsonLine({ path, ...(segment && { segment }), seconds, text, score, confidence, parts, alternatives });
    return;
  }
  output.print(`${printable(nameOf(source))}\t${printable(text)}`);
  for (const { text, score } of alternatives) output.print(`\t${printable(text)}\t${score?.toFixed(3)}`);
  if (flags.times)
    for (const { text, startSeconds, endSeconds } of parts)
      output.print(`\t${startSeconds.toFixed(2)}\t${endSeconds.toFixed(2)}\t${printable(text)}`);
}
