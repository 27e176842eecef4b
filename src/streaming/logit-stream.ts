// A recogniser over speech that is still going on: logits chunk by chunk, the same however the speech comes in pieces.
import type { HostArray } from "../graph/array.ts";
import { frameCount, receptiveField, samplesPerFrame } from "../models/config.ts";
import type { RecordingStatistics } from "../models/recording.ts";
import { FrameRows } from "../upstream/windows/queues.ts";
import { RunningStatistics } from "./running-statistics.ts";
import type { ChunkFrames, LogitBlock, StreamStages } from "./stream.types.ts";

/** Running, with what is remembered at most; or those of the whole recording, where it is known beforehand. */
export type StreamStatistics = { readonly memorySeconds: number } | RecordingStatistics;

/**
 * Chunk k are frames [k chunk, (k + 1) chunk). It is decided when the samples that its last frame and `right` frames more
 * read are there. Features are made once, by the statistics of all samples up to there; the positional convolution reads as
 * many of them before the window as its kernel reaches to, and the layers the window of `left`, the chunk and `right`.
 */
export class LogitStream {
  private readonly stages: StreamStages;
  private readonly chunks: ChunkFrames;
  private readonly known: RecordingStatistics | undefined;
  private readonly running: RunningStatistics;
  private readonly rows: FrameRows;
  /** Samples from `start` on, of which the first `counted` are in the statistics. */
  private held = new Float32Array(0);
  private start = 0;
  private counted = 0;
  /** Frames that are decided. */
  private decided = 0;

  constructor(stages: StreamStages, chunks: ChunkFrames, statistics: StreamStatistics) {
    [this.stages, this.chunks] = [stages, chunks];
    const { config } = stages;
    const isRunning = "memorySeconds" in statistics;
    this.known = isRunning ? undefined : statistics;
    this.running = new RunningStatistics(config, isRunning ? statistics : { memorySeconds: 0 });
    this.rows = new FrameRows(config.dim);
  }

  /** Samples that have come. */
  get samples(): number {
    return this.start + this.held.length;
  }

  /** Takes the next samples at 16 kHz; gives the chunks that they complete, one after another. */
  async *push(piece: Float32Array): AsyncGenerator<LogitBlock, void, undefined> {
    const { chunk, right } = this.chunks;
    for (let taken = 0; ; ) {
      const end = this.decided + chunk + right;
      const needed = this.samplesOf(end);
      const next = piece.subarray(taken, taken + needed - this.samples);
      this.append(next);
      taken += next.length;
      if (needed > this.samples) return;
      yield await this.decide(this.decided + chunk, end, needed);
    }
  }

  /** Gives what is left: at most chunk + right frames, at once. */
  async *end(): AsyncGenerator<LogitBlock, void, undefined> {
    const frames = frameCount(this.stages.config.conv, this.samples);
    const { stack } = this.stages;
    if (Math.floor(frames / stack) > this.decided / stack) yield await this.decide(frames, frames, this.samples);
  }

  /** Logits of frames [decided, to), which see frames up to `end`. */
  private async decide(to: number, end: number, samples: number): Promise<LogitBlock> {
    const { stages, rows, decided, chunks } = this;
    const { config, stack } = stages;
    await this.makeFeatures(end, samples);
    const start = Math.max(0, decided - chunks.left);
    const first = Math.max(0, start - Math.floor(config.posConv.kernel / 2));
    const positioned = await stages.positions(rows.take(first, end));
    const logits = await stages.logits(rowsOf(positioned, start - first));
    const width = logits.data.length / logits.frames;
    const [from, until] = [decided / stack, Math.floor(to / stack)];
    const [at, upTo] = [from - start / stack, until - start / stack];
    this.decided = to;
    return { from, frames: until - from, data: logits.data.slice(at * width, upTo * width), samples };
  }

  /** Features up to frame `end`, by statistics of the first `samples` samples. */
  private async makeFeatures(end: number, samples: number): Promise<void> {
    const { running, rows, held, start, stages } = this;
    if (!this.known) running.add(held.subarray(this.counted - start, samples - start));
    this.counted = samples;
    if (end <= rows.end) return;
    const shift = samplesPerFrame(stages.config.conv);
    const [from, to] = [rows.end * shift - start, this.samplesOf(end) - start];
    const { data } = await stages.features(held.slice(from, to), this.known ?? running.current());
    rows.add(data);
    const kept = Math.min(rows.end * shift, this.counted);
    this.held = held.slice(kept - start);
    this.start = kept;
  }

  private samplesOf(frames: number): number {
    const { conv } = this.stages.config;
    return (frames - 1) * samplesPerFrame(conv) + receptiveField(conv);
  }

  private append(piece: Float32Array): void {
    const { gain = 1 } = this.stages.config;
    const joined = new Float32Array(this.held.length + piece.length);
    joined.set(this.held);
    joined.set(gain === 1 ? piece : piece.map((sample) => sample * gain), this.held.length);
    this.held = joined;
  }
}

/** Frames from `from` on, [1, frames, dim]. */
function rowsOf({ shape: [, frames, dim], data }: HostArray, from: number): HostArray {
  return { shape: [1, frames - from, dim], data: data.subarray(from * dim) };
}
