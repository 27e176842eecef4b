// stillwave transcribe --stream: recordings, or what comes in on a pipe, read chunk by chunk while they go on.
import type { Command } from "commander";
import { nameOf, type RecordingPart } from "../../data/recording.ts";
import { UsageError } from "../../errors.ts";
import { printable } from "../../log/format.ts";
import { SAMPLE_RATE_HZ } from "../../models/config.ts";
import type { Recognizer } from "../../recognizer/recognizer.types.ts";
import type { SpeechStream } from "../../streaming/speech-stream.ts";
import type { ChunkSeconds, StreamUpdate } from "../../streaming/stream.types.ts";
import { countingNumber, finiteNumber } from "../numbers.ts";
import type { Output } from "../output.ts";

export interface StreamFlags {
  readonly stream?: boolean;
  readonly chunk?: number;
  readonly left?: number;
  readonly right?: number;
  readonly live?: boolean;
  readonly rate?: number;
  readonly json?: boolean;
}

/** What stands for the standard input among files. */
export const STANDARD_INPUT = "-";
/** A piece of a recording that is played as if it were live, as long as what browsers and sound servers hand over. */
const LIVE_SAMPLES = SAMPLE_RATE_HZ / 50;

export const streamOptions = (command: Command): Command =>
  command
    .option(
      "--stream",
      "read chunk by chunk, as if it were still going on; - is the standard input (docs/streaming.md)",
    )
    .option("--chunk <seconds>", "of --stream: decided at a time (default: 0.64)", finiteNumber)
    .option("--left <seconds>", "of --stream: read again before each chunk (default: 2.56)", finiteNumber)
    .option(
      "--right <seconds>",
      "of --stream: waited for after each chunk, the look-ahead (default: 0.32)",
      finiteNumber,
    )
    .option("--live", "of --stream: play files no faster than they were spoken")
    .option(
      "--rate <Hz>",
      "of --stream: of samples without a header on the standard input (default: 16000)",
      countingNumber,
    );

/** @throws UsageError for flags of streaming without it */
export function checkStreamFlags(flags: StreamFlags, others: Readonly<Record<string, unknown>>): void {
  const own = (["chunk", "left", "right", "live", "rate"] as const).find((name) => flags[name] !== undefined);
  if (!flags.stream && own) throw new UsageError(`--${own} belongs to --stream`);
  const foreign = Object.entries(others).find(([, value]) => value !== undefined && value !== false);
  if (flags.stream && foreign)
    throw new UsageError(`--stream reads greedily, chunk by chunk; leave --${foreign[0]} out (docs/streaming.md)`);
}

export const chunksOf = ({ chunk, left, right }: StreamFlags): ChunkSeconds => ({ chunk, left, right });

/** Streams a file, or a part of one. */
export async function streamFile(recognizer: Recognizer, source: RecordingPart, flags: StreamFlags, output: Output) {
  const { streamAudio } = await import("../../audio/stream.ts");
  const stream = recognizer.stream(chunksOf(flags));
  const pieces = streamAudio(source.path, source.segment);
  await follow(stream, flags.live ? asIfLive(pieces) : pieces, { name: nameOf(source), flags, output });
}

/** Streams what comes in: WAV, or 16-bit samples of one channel without a header. */
export async function streamInput(
  recognizer: Recognizer,
  bytes: AsyncIterable<Uint8Array>,
  flags: StreamFlags,
  output: Output,
) {
  const { rate = SAMPLE_RATE_HZ } = flags;
  const { livePcm } = await import("../../audio/pcm/live.ts");
  const raw = { encoding: "s16", isBigEndian: false, channels: 1, sampleRateHz: rate } as const;
  const { sampleRateHz, pieces } = await livePcm(bytes, raw, "standard input");
  const stream = recognizer.stream({ ...chunksOf(flags), sampleRate: sampleRateHz });
  await follow(stream, pieces, { name: STANDARD_INPUT, flags, output });
}

/** Streams 16 kHz mono pieces as they come. */
export const streamPieces = (recognizer: Recognizer, pieces: AsyncIterable<Float32Array>, following: Following) => {
  return follow(recognizer.stream(chunksOf(following.flags)), pieces, following);
};

export interface Following {
  readonly name: string;
  readonly flags: StreamFlags;
  readonly output: Output;
}

/** Prints what is decided as it is decided, and at the end what it took. */
async function follow(stream: SpeechStream, pieces: AsyncIterable<Float32Array>, { name, flags, output }: Following) {
  const shown = printable(name);
  for await (const update of stream.read(pieces)) {
    if (flags.json) output.jsonLine({ path: name, ...update });
    else for (const line of linesOf(update)) output.print(`${shown}\t${line}`);
  }
  const { cost, facts } = stream;
  if (flags.json) output.jsonLine({ path: name, kind: "stream", ...facts, ...cost });
  else
    output.note(
      `${shown}: ${cost.seconds.toFixed(2)} s in ${cost.chunks} chunks, ${cost.computeSeconds.toFixed(2)} s of computation ` +
        `(real-time factor ${cost.realTimeFactor.toFixed(3)}, ${cost.longestMilliseconds.toFixed(0)} ms at most a chunk), latency ${facts.latencySeconds.toFixed(3)} s`,
    );
}

/** One line a chunk that says something: how much had been heard, and what became known. */
function linesOf({ heardSeconds, parts, classes }: StreamUpdate): string[] {
  const [best] = classes;
  const said = best ? `${best.label} ${best.probability.toFixed(3)}` : parts.map(({ text }) => text).join(" ");
  return said === "" ? [] : [`${heardSeconds.toFixed(2)}\t${printable(said)}`];
}

/** Short pieces, each when its last sample would have been heard. */
async function* asIfLive(pieces: AsyncIterable<Float32Array>): AsyncGenerator<Float32Array, void, undefined> {
  const began = performance.now();
  let heard = 0;
  for await (const piece of pieces)
    for (let at = 0; at < piece.length; at += LIVE_SAMPLES) {
      const next = piece.subarray(at, at + LIVE_SAMPLES);
      heard += next.length;
      const wait = began + (1000 * heard) / SAMPLE_RATE_HZ - performance.now();
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
      yield next;
    }
}
