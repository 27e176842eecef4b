// The parameters of a head: names, shapes and PyTorch's default initialisation.
import type { HostArray, Parameters } from "../../graph/array.ts";
import { sizeOf } from "../../graph/array.ts";
import { Random } from "../../random.ts";
import type { HeadConfig, HeadInput } from "./config.ts";

interface HeadParameter {
  readonly name: string;
  readonly shape: readonly number[];
  /** Initial values are uniform in [-bound, bound]; 0: zeros. */
  readonly bound: number;
}

export const FEATURIZER = "featurizer.weights";

/** Linear layers start uniform in +-1/sqrt(inputs), LSTM layers in +-1/sqrt(hidden), layer weights at zero. */
export function headParameters(config: HeadConfig, { layers, dim }: HeadInput): HeadParameter[] {
  const list: HeadParameter[] = [{ name: FEATURIZER, shape: [layers], bound: 0 }];
  const add = (name: string, shape: readonly number[], fan: number) =>
    list.push({ name, shape, bound: 1 / Math.sqrt(fan) });
  const linear = (name: string, inputs: number, outputs: number) => {
    add(`${name}.weight`, [outputs, inputs], inputs);
    add(`${name}.bias`, [outputs], inputs);
  };
  linear("projector", dim, config.projection);
  let width = config.projection;
  if (config.kind === "bilstm") {
    const { hidden } = config;
    width *= config.stack;
    for (let layer = 0; layer < config.lstmLayers; layer++) {
      for (const suffix of [`l${layer}`, `l${layer}_reverse`]) {
        add(`lstm.weight_ih_${suffix}`, [4 * hidden, width], hidden);
        add(`lstm.weight_hh_${suffix}`, [4 * hidden, hidden], hidden);
        add(`lstm.bias_ih_${suffix}`, [4 * hidden], hidden);
        add(`lstm.bias_hh_${suffix}`, [4 * hidden], hidden);
      }
      width = 2 * hidden;
    }
  }
  linear("linear", width, config.outputs);
  return list;
}

export const headParameterCount = (config: HeadConfig, input: HeadInput): number =>
  headParameters(config, input).reduce((sum, { shape }) => sum + sizeOf(shape), 0);

/** Fresh weights; every parameter has its own stream of the seed. */
export function initHead(config: HeadConfig, input: HeadInput, seed: number): Parameters {
  return new Map(
    headParameters(config, input).map(({ name, shape, bound }): [string, HostArray] => {
      const random = new Random(seed, "head", name);
      const data = Float32Array.from({ length: sizeOf(shape) }, () => bound * (2 * random.uniform() - 1));
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
