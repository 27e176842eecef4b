// A model over a long recording: its front end piece by piece, exactly as of the whole, its layers window by window.
import { InternalError } from "../../errors.ts";
import type { HostArray } from "../../graph/array.ts";
import { symbol } from "../../graph/dim.ts";
import type { Graph } from "../../graph/graph.ts";
import { input, type Value } from "../../graph/value.ts";
import { frameCount, type ModelConfig, receptiveField, samplesPerFrame } from "../../models/config.ts";
import { addPositions, encodeLayers, extractFeatures } from "../../models/forward.ts";
import type { ModelWeights } from "../../models/parameters.ts";
import { RecordingPass, type RecordingStatistics, readsWholeRecording } from "../../models/recording.ts";
import { BATCH, momentsInput, parameterInputs, waveInput } from "../../models/trace.ts";
import type { Feed, Runtime } from "../../runtime/runtime.ts";
import { SessionCache } from "../../runtime/sessions.ts";
import { hiddenStates, type State, stateOf } from "../states.ts";
import { changedLength, type LongRecording, planWindows, type WindowSettings, type WindowStates } from "./plan.ts";
import { FrameRows, SampleQueue } from "./queues.ts";

/** Frames that the front end makes at a time, 20 s of HuBERT's. */
const FRONT_FRAMES = 1000;
/** Attention maps are made in blocks of at most so many bytes. */
const MAP_BYTES = 2 ** 27;

const TIME = symbol("time");

/** wave, and moments where the model normalises over time -> what layer 0 reads. */
function frontGraph(config: ModelConfig): Graph {
  const { lookup } = parameterInputs(config);
  const normaliseOver = config.convNorm === "group" ? momentsInput(config) : null;
  const features = extractFeatures(config, lookup, waveInput(), { features: "channels-first", normaliseOver });
  const { encoderInput } = addPositions(config, lookup, features.projected);
  return { name: "front", outputs: new Map([["input", encoderInput]]) };
}

/** frames [batch, time, dim] -> every state after them. */
function layersGraph(config: ModelConfig, queryBlocks: number): Graph {
  const { lookup } = parameterInputs(config);
  const encoded = encodeLayers(config, lookup, input("frames", [BATCH, TIME, config.dim]), null, { queryBlocks });
  const numbered = (name: string, values: readonly Value[]) =>
    values.map((value, i): [string, Value] => [`${name}.${i}`, value]);
  const outputs = [...numbered("layer", encoded.layers), ...numbered("head", encoded.heads)];
  if (config.normFirst) outputs.push(["last", encoded.last]);
  return { name: "layers", outputs: new Map(outputs) };
}

/** Runs `weights` over windows of long recordings. What it compiles is kept until `dispose`. */
export class ModelWindows {
  readonly config: ModelConfig;
  private readonly weights: ModelWeights;
  private readonly sessions: SessionCache;

  constructor(weights: ModelWeights, runtime: Runtime) {
    this.config = weights.config;
    this.weights = weights;
    this.sessions = new SessionCache(runtime);
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
      yield { span, arrays: await this.layers(rows.take(span.start, span.end), states) };
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
        const data = await this.frontOf(own, statistics);
        yield data.subarray((from - start) * dim, (to - start) * dim);
      }
    } finally {
      await wave.close();
    }
  }

  private async frontOf(wave: Float32Array, statistics: RecordingStatistics | undefined): Promise<Float32Array> {
    const {
      config,
      weights: { parameters },
    } = this;
    const front = await this.sessions.get("front", (compile) => compile(frontGraph(config)));
    const { mean = 0, scale = 1, centre, covariance } = statistics ?? {};
    const fed = config.normalizeWaveform ? wave.map((x) => (x - mean) * scale) : wave;
    const feeds: Record<string, Feed> = Object.fromEntries(parameters);
    feeds.wave = { shape: [1, fed.length], data: fed };
    if (centre && covariance) {
      feeds.centre = { shape: [1, 1, centre.length], data: centre };
      feeds.covariance = { shape: [1, centre.length, centre.length], data: covariance };
    }
    return (await front.run(feeds)).input.data;
  }

  /** The states of frames that layer 0 reads, [1, count, dim]. */
  private async layers(frames: HostArray, states: readonly State[]): Promise<HostArray[]> {
    const {
      config,
      weights: { parameters },
    } = this;
    const count = frames.shape[1];
    const blocks = Math.min(count, Math.max(2, Math.ceil((4 * config.heads * count ** 2) / MAP_BYTES)));
    const session = await this.sessions.get(`layers.${blocks}`, (compile) => compile(layersGraph(config, blocks)));
    const outputs = await session.run({ ...Object.fromEntries(parameters), frames });
    const numbered = (prefix: string) =>
      Object.keys(outputs)
        .filter((name) => name.startsWith(`${prefix}.`))
        .map((name) => outputs[name]);
    const layers = numbered("layer");
    const last = outputs.last ?? layers[layers.length - 1];
    const encoded = {
      hiddenStates: hiddenStates({ encoderInput: frames, layers, last }),
      layers,
      heads: numbered("head"),
    };
    return states.map((state) => stateOf(config, encoded, state));
  }

  dispose(): Promise<void> {
    return this.sessions.release();
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
