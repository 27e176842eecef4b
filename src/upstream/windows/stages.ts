// A model in three stages, for what is read piece by piece: convolutions, positions, layers, each over as many frames as it is given.
import type { HostArray } from "../../graph/array.ts";
import { type Dim, symbol } from "../../graph/dim.ts";
import type { Graph } from "../../graph/graph.ts";
import { input, type Value } from "../../graph/value.ts";
import type { ModelConfig } from "../../models/config.ts";
import { addPositions, encodeLayers, extractFeatures } from "../../models/forward.ts";
import type { ModelWeights } from "../../models/parameters.ts";
import type { RecordingStatistics } from "../../models/recording.ts";
import { BATCH, momentsInput, parameterInputs, waveInput } from "../../models/trace.ts";
import type { Feed, Runtime } from "../../runtime/runtime.ts";
import { SessionCache } from "../../runtime/sessions.ts";
import { hiddenStates, type State, stateOf } from "../states.ts";

/** Attention maps are made in blocks of at most so many bytes. */
const MAP_BYTES = 2 ** 27;

const TIME: Dim = symbol("time");

const framesInput = ({ dim }: ModelConfig): Value => input("frames", [BATCH, TIME, dim]);

/** wave, and moments where the model normalises over time -> projected features. */
function featuresGraph(config: ModelConfig): Graph {
  const { lookup } = parameterInputs(config);
  const normaliseOver = config.convNorm === "group" ? momentsInput(config) : null;
  const features = extractFeatures(config, lookup, waveInput(), { features: "channels-first", normaliseOver });
  return { name: "features", outputs: new Map([["features", features.projected]]) };
}

/** frames [batch, time, dim] -> what layer 0 reads. */
function positionsGraph(config: ModelConfig): Graph {
  const { lookup } = parameterInputs(config);
  const { encoderInput } = addPositions(config, lookup, framesInput(config));
  return { name: "positions", outputs: new Map([["input", encoderInput]]) };
}

/** frames [batch, time, dim] -> every state after them. */
function layersGraph(config: ModelConfig, queryBlocks: number): Graph {
  const { lookup } = parameterInputs(config);
  const encoded = encodeLayers(config, lookup, framesInput(config), null, { queryBlocks });
  const numbered = (name: string, values: readonly Value[]) =>
    values.map((value, i): [string, Value] => [`${name}.${i}`, value]);
  const outputs = [...numbered("layer", encoded.layers), ...numbered("head", encoded.heads)];
  if (config.normFirst) outputs.push(["last", encoded.last]);
  return { name: "layers", outputs: new Map(outputs) };
}

/** What streaming needs to know of a model. */
export interface StagedConfig extends Pick<ModelConfig, "conv" | "convNorm" | "normalizeWaveform" | "posConv" | "dim"> {
  /** What waveforms are multiplied by before all else; default 1. */
  readonly gain?: number;
}

/** A model of which each stage runs by itself, over as many frames as it is given. Arrays are [1, frames, dim]. */
export interface FrontStages {
  readonly config: StagedConfig;
  /** Projected features of samples at 16 kHz, behind the gain, normalised by `statistics` where the model does so over time. */
  features(wave: Float32Array, statistics?: RecordingStatistics): Promise<HostArray>;
  /** What layer 0 reads of projected features; beyond their ends the positional convolution reads zeros. */
  positions(features: HostArray): Promise<HostArray>;
}

/** The stages of an upstream. */
export interface UpstreamStages extends FrontStages {
  /** Its hidden states, of frames that layer 0 reads. */
  states(frames: HostArray): Promise<HostArray[]>;
}

/** Runs the stages of `weights`. What it compiles is kept until `dispose`. */
export class ModelStages implements FrontStages {
  readonly config: ModelConfig;
  private readonly weights: ModelWeights;
  private readonly sessions: SessionCache;

  constructor(weights: ModelWeights, runtime: Runtime) {
    this.config = weights.config;
    this.weights = weights;
    this.sessions = new SessionCache(runtime);
  }

  async features(wave: Float32Array, statistics?: RecordingStatistics): Promise<HostArray> {
    const { config } = this;
    const { mean = 0, scale = 1, centre, covariance } = statistics ?? {};
    const fed = config.normalizeWaveform ? wave.map((x) => (x - mean) * scale) : wave;
    const feeds: Record<string, Feed> = { wave: { shape: [1, fed.length], data: fed } };
    if (centre && covariance) {
      feeds.centre = { shape: [1, 1, centre.length], data: centre };
      feeds.covariance = { shape: [1, centre.length, centre.length], data: covariance };
    }
    return (await this.run("features", () => featuresGraph(config), feeds)).features;
  }

  async positions(frames: HostArray): Promise<HostArray> {
    return (await this.run("positions", () => positionsGraph(this.config), { frames })).input;
  }

  /** The states of frames that layer 0 reads, [1, frames, dim] all. */
  async layers(frames: HostArray, states: readonly State[]): Promise<HostArray[]> {
    const { config } = this;
    const count = frames.shape[1];
    const blocks = Math.min(count, Math.max(2, Math.ceil((4 * config.heads * count ** 2) / MAP_BYTES)));
    const outputs = await this.run(`layers.${blocks}`, () => layersGraph(config, blocks), { frames });
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

  private async run(key: string, graph: () => Graph, feeds: Readonly<Record<string, Feed>>) {
    const session = await this.sessions.get(key, (compile) => compile(graph()));
    return session.run({ ...Object.fromEntries(this.weights.parameters), ...feeds });
  }

  dispose(): Promise<void> {
    return this.sessions.release();
  }
}
