// Speech that is still going on: samples in at any rate and in any pieces, words or phones out as they are decided.
import { Resampler } from "../audio/signal/resample.ts";
import { StillwaveError, UsageError } from "../errors.ts";
import { SAMPLE_RATE_HZ, samplesPerFrame } from "../models/config.ts";
import type { RecordingStatistics } from "../models/recording.ts";
import { checkFinite } from "../upstream/frames.ts";
import { type ChunkFacts, chunkFacts, chunkFrames } from "./chunks.ts";
import { LogitStream } from "./logit-stream.ts";
import type {
  ChunkSeconds,
  LogitBlock,
  StreamAnswer,
  StreamReader,
  StreamStages,
  StreamUpdate,
} from "./stream.types.ts";

/** What running statistics remember: about as long as the utterances that models are trained on. */
const MEMORY_SECONDS = 30;
const LOWEST_HZ = 1000;
const HIGHEST_HZ = 768_000;

export interface StreamOptions extends ChunkSeconds {
  /** Of the samples that are pushed, in Hz. Default 16000. */
  readonly sampleRate?: number;
  /** Of models that normalise over time: how much of what was heard counts at most, in seconds. Default 30. */
  readonly memory?: number;
  /** Of models that normalise over time: the statistics of the whole recording, where they are known. */
  readonly statistics?: RecordingStatistics;
}

/** What a stream has taken so far. */
export interface StreamCost {
  /** Speech that has come. */
  readonly seconds: number;
  /** Chunks that were computed. */
  readonly chunks: number;
  readonly computeSeconds: number;
  /** Longest computation of a chunk. */
  readonly longestMilliseconds: number;
  /** Seconds of computation for a second of speech. */
  readonly realTimeFactor: number;
  /** How much had been heard when the first part was shown; null before. */
  readonly firstPartSeconds: number | null;
}

export interface StreamFacts extends ChunkFacts {
  readonly sampleRate: number;
}

/** One recording as it comes. Calls follow one another, whether they are awaited or not. */
export class SpeechStream {
  /** The settings as they are used, and what follows from them. */
  readonly facts: StreamFacts;
  private readonly logits: LogitStream;
  private readonly reader: StreamReader;
  private readonly resampler: Resampler | undefined;
  private readonly frameSeconds: number;
  private last: Promise<unknown> = Promise.resolve();
  private failure: { readonly error: unknown } | undefined;
  private ended = false;
  private received = 0;
  private decidedSeconds = 0;
  private chunks = 0;
  private computeMilliseconds = 0;
  private longestMilliseconds = 0;
  private firstPartSeconds: number | null = null;

  /** @throws UsageError for settings that make no sense */
  constructor(stages: StreamStages, reader: StreamReader, options: StreamOptions = {}) {
    const { sampleRate = SAMPLE_RATE_HZ, memory = MEMORY_SECONDS, statistics } = options;
    if (!(Number.isInteger(sampleRate) && sampleRate >= LOWEST_HZ && sampleRate <= HIGHEST_HZ))
      throw new UsageError(`sampleRate: ${sampleRate}; expected whole Hz from ${LOWEST_HZ} to ${HIGHEST_HZ}`);
    if (!(memory >= 1)) throw new UsageError(`memory: ${memory} s; expected at least 1`);
    const { config, stack } = stages;
    const chunks = chunkFrames(options, stages);
    this.resampler = sampleRate === SAMPLE_RATE_HZ ? undefined : new Resampler(sampleRate, SAMPLE_RATE_HZ);
    const facts = chunkFacts(chunks, config);
    const latencySeconds = facts.latencySeconds + (this.resampler?.longestDelaySeconds ?? 0);
    this.facts = { ...facts, latencySeconds, sampleRate };
    this.logits = new LogitStream(stages, chunks, statistics ?? { memorySeconds: memory });
    this.reader = reader;
    this.frameSeconds = (samplesPerFrame(config.conv) * stack) / SAMPLE_RATE_HZ;
  }

  /**
   * Takes the next samples, one channel in [-1, 1]; gives what they decide.
   * @throws UsageError for other than a Float32Array, or after the end; StillwaveError for samples that are no numbers
   */
  push(samples: Float32Array): Promise<StreamUpdate[]> {
    return this.afterLast(async () => {
      this.check(samples);
      this.received += samples.length;
      return this.updatesOf(this.logits.push(this.resampler?.push(samples) ?? samples));
    });
  }

  /** Ends the recording; gives the rest, `isLast` at its end. A recording too short for a frame says nothing. */
  end(): Promise<StreamUpdate[]> {
    return this.afterLast(async () => {
      if (this.ended) throw new UsageError("the stream has ended already");
      this.ended = true;
      const rest = this.resampler ? await this.updatesOf(this.logits.push(this.resampler.end())) : [];
      const tail = await this.updatesOf(this.logits.end());
      const last = this.updateOf(this.reader.end(), this.received / this.facts.sampleRate, 0);
      return [...rest, ...tail, { ...last, isLast: true }];
    });
  }

  /** Reads a whole recording from pieces of any lengths, to its end. */
  async *read(
    pieces: AsyncIterable<Float32Array> | Iterable<Float32Array>,
  ): AsyncGenerator<StreamUpdate, void, undefined> {
    for await (const piece of pieces) yield* await this.push(piece);
    yield* await this.end();
  }

  /** What has been computed so far. */
  get cost(): StreamCost {
    const { chunks, longestMilliseconds, firstPartSeconds } = this;
    const [seconds, computeSeconds] = [this.received / this.facts.sampleRate, this.computeMilliseconds / 1000];
    const realTimeFactor = seconds > 0 ? computeSeconds / seconds : 0;
    return { seconds, chunks, computeSeconds, longestMilliseconds, realTimeFactor, firstPartSeconds };
  }

  /** Runs `work` when what was asked for before is done. After an error the stream is of no more use. */
  private afterLast(work: () => Promise<StreamUpdate[]>): Promise<StreamUpdate[]> {
    const next = this.last.then(async () => {
      if (this.failure) throw this.failure.error;
      return work();
    });
    this.last = next.catch((error: unknown) => {
      if (!(error instanceof UsageError)) this.failure ??= { error };
    });
    return next;
  }

  private check(samples: Float32Array): void {
    if (this.ended) throw new UsageError("the stream has ended; start another one for the next recording");
    if (!(samples instanceof Float32Array)) throw new UsageError("push takes a Float32Array of samples, one channel");
    const wrong = samples.findIndex((sample) => !Number.isFinite(sample));
    if (wrong >= 0)
      throw new StillwaveError(`sample ${this.received + wrong} of the stream is ${samples[wrong]}, not a number`);
  }

  private async updatesOf(blocks: AsyncGenerator<LogitBlock, void, undefined>): Promise<StreamUpdate[]> {
    const updates: StreamUpdate[] = [];
    for (;;) {
      const began = performance.now();
      const { done, value: block } = await blocks.next();
      if (done) return updates;
      checkFinite(block.data, block.data.length, ["logits"]);
      const answer = this.reader.read(block);
      const milliseconds = performance.now() - began;
      this.chunks++;
      this.computeMilliseconds += milliseconds;
      this.longestMilliseconds = Math.max(this.longestMilliseconds, milliseconds);
      this.decidedSeconds = (block.from + block.frames) * this.frameSeconds;
      updates.push(this.updateOf(answer, block.samples / SAMPLE_RATE_HZ, milliseconds));
    }
  }

  private updateOf(answer: StreamAnswer, heardSeconds: number, computeMilliseconds: number): StreamUpdate {
    if (answer.parts.length > 0 || answer.open) this.firstPartSeconds ??= heardSeconds;
    return { ...answer, decidedSeconds: this.decidedSeconds, heardSeconds, computeMilliseconds, isLast: false };
  }
}
