// Fresh weights of a model, seeded, and what may be copied from a teacher.
import { UsageError } from "../errors.ts";
import { type HostArray, type Parameters, sizeOf } from "../graph/array.ts";
import { Random } from "../random.ts";
import type { ModelConfig } from "./config.ts";
import { parameterSpecs } from "./parameters.ts";

export interface InitOptions {
  readonly seed: number;
  /** Copy the first `layers` layers of a teacher's feature extractor (all where absent). Shapes must agree. */
  readonly copyConvFrom?: { readonly parameters: Parameters; readonly layers?: number };
}

/** Standard deviation of linear layers and attention projections, as in BERT. */
const LINEAR_DEVIATION = 0.02;

/**
 * Initial weights in `parameterSpecs` order: conv Kaiming normal (fan in, gain sqrt 2), linear N(0, 0.02) with zero bias,
 * positional conv N(0, sqrt(4 / (kernel dim))) with zero bias and its gain the direction's norm, mask embedding U[0, 1),
 * norms 1 and 0 (docs/method.md section 2). Every parameter has its own stream of the seed.
 */
export function initParameters(config: ModelConfig, options: InitOptions): Parameters {
  const parameters: Parameters = new Map();
  for (const { name, shape } of parameterSpecs(config)) {
    const data = new Float32Array(sizeOf(shape));
    fill(data, name, shape, config, new Random(options.seed, "init", name));
    parameters.set(name, { shape, data });
  }
  setGain(parameters);
  if (options.copyConvFrom) copyConv(config, parameters, options.copyConvFrom);
  return parameters;
}

function fill(data: Float32Array, name: string, shape: readonly number[], config: ModelConfig, random: Random): void {
  const normal = (deviation: number) => {
    for (let i = 0; i < data.length; i++) data[i] = deviation * random.normal();
  };
  if (name === "masked_spec_embed") for (let i = 0; i < data.length; i++) data[i] = random.uniform();
  else if (name.endsWith("gru_rel_pos_const") || name.endsWith("channel_scale")) data.fill(1);
  else if (/\.(bias|running_mean)$/.test(name)) data.fill(0);
  else if (/norm\.weight$|\.running_var$/.test(name)) data.fill(1);
  else if (name.endsWith("pos_conv_embed.conv.weight_v")) normal(Math.sqrt(4 / (config.posConv.kernel * config.dim)));
  else if (name.endsWith(".conv.weight")) normal(Math.sqrt(2 / (shape[1] * shape[2])));
  else normal(LINEAR_DEVIATION);
}

/** weight_g such that the normed weight is the direction itself: |v| over [out, in] for each kernel position. */
function setGain(parameters: Parameters): void {
  const direction = parameters.get("encoder.pos_conv_embed.conv.weight_v");
  const gain = parameters.get("encoder.pos_conv_embed.conv.weight_g");
  if (!direction || !gain) return;
  const kernel = direction.shape[2];
  const squares = new Float64Array(kernel);
  for (let i = 0; i < direction.data.length; i++) squares[i % kernel] += direction.data[i] ** 2;
  for (let i = 0; i < kernel; i++) gain.data[i] = Math.sqrt(squares[i]);
}

function copyConv(
  config: ModelConfig,
  parameters: Parameters,
  { parameters: teacher, layers = config.conv.length }: NonNullable<InitOptions["copyConvFrom"]>,
): void {
  for (const [name, target] of parameters) {
    const match = /^feature_extractor\.conv_layers\.(\d+)\./.exec(name);
    if (!match || Number(match[1]) >= layers) continue;
    const source: HostArray | undefined = teacher.get(name);
    if (!source || source.shape.join() !== target.shape.join())
      throw new UsageError(
        `cannot copy ${name} from the teacher: the student's is [${target.shape.join(", ")}], ` +
          `the teacher's ${source ? `[${source.shape.join(", ")}]` : "absent"}; copy fewer layers or change the conv stack`,
      );
    target.data.set(source.data);
  }
}
