// The parameters of a head: names, shapes and PyTorch's default initialisation.
import type { HostArray, Parameters } from "../../graph/array.ts";
import { sizeOf } from "../../graph/array.ts";
import { SPEAKERS, XVECTOR_LAYERS } from "../../nn/x-vector.ts";
import { Random } from "../../random.ts";
import type { HeadConfig, HeadInput, XVectorHeadConfig } from "./config.ts";

interface HeadParameter {
  readonly name: string;
  readonly shape: readonly number[];
  /** Initial values are uniform in [-bound, bound]; 0: zeros. */
  readonly bound: number;
  /** Initial values are normal with this deviation instead. */
  readonly deviation?: number;
}

export const FEATURIZER = "featurizer.weights";

/** What a list of parameters grows by. */
class ParameterList {
  readonly list: HeadParameter[] = [];

  add(name: string, shape: readonly number[], fan: number): void {
    this.list.push({ name, shape, bound: 1 / Math.sqrt(fan) });
  }

  linear(name: string, inputs: number, outputs: number): void {
    this.add(`${name}.weight`, [outputs, inputs], inputs);
    this.add(`${name}.bias`, [outputs], inputs);
  }

  lstm(suffix: string, width: number, hidden: number): void {
    this.add(`lstm.weight_ih_${suffix}`, [4 * hidden, width], hidden);
    this.add(`lstm.weight_hh_${suffix}`, [4 * hidden, hidden], hidden);
    this.add(`lstm.bias_ih_${suffix}`, [4 * hidden], hidden);
    this.add(`lstm.bias_hh_${suffix}`, [4 * hidden], hidden);
  }
}

/**
 * Linear layers start uniform in +-1/sqrt(inputs), LSTM layers in +-1/sqrt(hidden), layer weights at zero, speakers' columns
 * normal (Glorot).
 */
export function headParameters(config: HeadConfig, { layers, dim }: HeadInput): HeadParameter[] {
  const parameters = new ParameterList();
  parameters.list.push({ name: FEATURIZER, shape: [layers], bound: 0 });
  let width = dim;
  if (config.kind !== "lstm") {
    parameters.linear("projector", dim, config.projection);
    width = config.projection;
  }
  if (config.kind === "xvector") return xVectorParameters(config, parameters);
  if (config.kind === "bilstm" || config.kind === "lstm") {
    const { hidden } = config;
    const directions = config.kind === "bilstm" ? ["", "_reverse"] : [""];
    if (config.kind === "bilstm") width *= config.stack;
    for (let layer = 0; layer < config.lstmLayers; layer++) {
      for (const direction of directions) parameters.lstm(`l${layer}${direction}`, width, hidden);
      width = directions.length * hidden;
    }
  }
  parameters.linear("linear", width, config.outputs);
  return parameters.list;
}

function xVectorParameters(
  { projection, hidden, aggregation, outputs }: XVectorHeadConfig,
  parameters: ParameterList,
): HeadParameter[] {
  let width = projection;
  for (const [i, { context }] of XVECTOR_LAYERS.entries()) {
    const wider = i === XVECTOR_LAYERS.length - 1 ? aggregation : hidden;
    parameters.linear(`frames.${i}`, context * width, wider);
    width = wider;
  }
  parameters.linear("linear1", 2 * width, hidden);
  parameters.linear("linear2", hidden, hidden);
  const deviation = Math.sqrt(2 / (hidden + outputs));
  parameters.list.push({ name: SPEAKERS, shape: [hidden, outputs], bound: 0, deviation });
  return parameters.list;
}

export const headParameterCount = (config: HeadConfig, input: HeadInput): number =>
  headParameters(config, input).reduce((sum, { shape }) => sum + sizeOf(shape), 0);

/** Fresh weights; every parameter has its own stream of the seed. */
export function initHead(config: HeadConfig, input: HeadInput, seed: number): Parameters {
  return new Map(
    headParameters(config, input).map(({ name, shape, bound, deviation }): [string, HostArray] => {
      const random = new Random(seed, "head", name);
      const draw = () => (deviation === undefined ? bound * (2 * random.uniform() - 1) : deviation * random.normal());
      const data = Float32Array.from({ length: sizeOf(shape) }, draw);
      return [name, { shape, data }];
    }),
  );
}

/** Softmax of the featurizer's weights: the share of each hidden state. */
export function layerWeights(parameters: Parameters): number[] {
  const raw = [...parameters.get(FEATURIZER)!.data];
  const largest = Math.max(...raw);
  const exps = raw.map((value) => Math.exp(value - largest));
  const sum = exps.reduce((a, b) => a + b, 0);
  return exps.map((value) => value / sum);
}
