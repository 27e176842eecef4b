// A model over a long recording: its front end piece by piece, exactly as of the whole, its layers window by window.
import { InternalError } from "../../errors.ts";
import { frameCount, type ModelConfig, receptiveField, samplesPerFrame } from "../../models/config.ts";
import type { ModelWeights } from "../../models/parameters.ts";
import { RecordingPass, type RecordingStatistics, readsWholeRecording } from "../../models/recording.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import type { State } from "../states.ts";
import { changedLength, type LongRecording, planWindows, type WindowSettings, type WindowStates } from "./plan.ts";
import { FrameRows, SampleQueue } from "./queues.ts";
import { ModelStages } from "./stages.ts";

/** Frames that the front end makes at a time, 20 s of HuBERT's. */
const FRONT_FRAMES = 1000;

/** Runs `weights` over windows of long recordings. What it compiles is kept until `dispose`. */
export class ModelWindows {
  readonly config: ModelConfig;
  readonly stages: ModelStages;

  constructor(weights: ModelWeights, runtime: Runtime) {
    this.config = weights.config;
    this.stages = new ModelStages(weights, runtime);
  }

  /**
   * The chosen states of a recording, window by window. It is read twice where the model normalises over all of it.
   * @throws StillwaveError where it does not have the samples that it was said to have
   */
  async *states(
    recording: LongRecording,
    states: readonly State[],
    settings: WindowSettings,
    multiple = 1,
  ): AsyncGenerator<WindowStates, void, undefined> {
    const { config } = this;
    const statistics = readsWholeRecording(config) ? await statisticsOf(config, recording) : undefined;
    const frames = frameCount(config.conv, recording.samples);
    const spans = planWindows(frames, settings, samplesPerFrame(config.conv), multiple);
    const rows = new FrameRows(config.dim);
    const front = this.front(recording, frames, statistics);
    for (const span of spans) {
      while (rows.end < span.end) {
        const { done, value } = await front.next();
        if (done) throw new InternalError(`windows: ${rows.end} of ${frames} frames were made`);
        rows.add(value);
      }
      yield { span, arrays: await this.stages.layers(rows.take(span.start, span.end), states) };
    }
    await front.return();
  }

  /** What layer 0 reads, frame after frame, in order: [count, dim] each. */
  private async *front(
    { samples, pieces }: LongRecording,
    frames: number,
    statistics: RecordingStatistics | undefined,
  ): AsyncGenerator<Float32Array, void, undefined> {
    const { conv, posConv, dim } = this.config;
    const [shift, field] = [samplesPerFrame(conv), receptiveField(conv)];
    const context = Math.floor(posConv.kernel / 2);
    const wave = new SampleQueue(pieces());
    try {
      for (let from = 0; from < frames; from += FRONT_FRAMES) {
        const to = Math.min(frames, from + FRONT_FRAMES);
        const [start, end] = [Math.max(0, from - context), Math.min(frames, to + context)];
        const own = await wave.range(start * shift, (end - 1) * shift + field);
        if (!own) throw changedLength(samples);
        const { data } = await this.stages.positions(await this.stages.features(own, statistics));
        yield data.subarray((from - start) * dim, (to - start) * dim);
      }
    } finally {
      await wave.close();
    }
  }

  dispose(): Promise<void> {
    return this.stages.dispose();
  }
}

async function statisticsOf(config: ModelConfig, { samples, pieces }: LongRecording): Promise<RecordingStatistics> {
  const pass = new RecordingPass(config);
  let count = 0;
  for await (const piece of pieces()) {
    pass.add(piece);
    count += piece.length;
  }
  if (count !== samples) throw changedLength(samples);
  return pass.finish();
}
