// Matches the tensors of a file with the parameters of a model, and reads them; every mismatch is named.
import { InternalError, StillwaveError } from "../../errors.ts";
import { type HostArray, type Parameters, sizeOf } from "../../graph/array.ts";
import type { ModelConfig } from "../../models/config.ts";
import { type ParameterSpec, parameterSpecs } from "../../models/parameters.ts";
import type { CheckpointFormat, LoadedModel, ModelPlan } from "../checkpoint.types.ts";
import type { StoredTensor, StoredTensors } from "../formats/tensors.ts";
import { missingTensor } from "./missing.ts";

export interface PlanInput {
  /** Where the tensors are, for errors. */
  readonly path: string;
  /** Size of the files: no model can have more parameters than the files have bytes. */
  readonly fileBytes: number;
  readonly config: ModelConfig;
  /** By their names without wrappers. */
  readonly tensors: StoredTensors;
  /** What the names of the model's tensors begin with; others are not looked at. */
  readonly prefix: string;
  /** Our name of what follows the prefix; undefined for tensors of other parts. */
  readonly canonical: (name: string) => string | undefined;
  /** Unknown tensors inside the model: an error, or ignored with a note (official students carry unused modules). */
  readonly unknown: "error" | "ignore";
  readonly notes?: readonly string[];
  readonly part?: "student" | "teacher";
}

const BACKBONE = /^(masked_spec_embed$|feature_extractor\.|feature_projection\.|encoder\.)/;

/** Builds the plan, checking every name and shape against the configuration before anything is read. */
export function planModel(input: PlanInput): ModelPlan {
  const { path, config } = input;
  const notes = [...(input.notes ?? [])];
  const found = new Map<string, StoredTensor>();
  const ignored: string[] = [];
  for (const [bare, tensor] of input.tensors) {
    const name = bare.startsWith(input.prefix) ? input.canonical(bare.slice(input.prefix.length)) : undefined;
    if (name === undefined) ignored.push(tensor.name);
    else if (found.has(name))
      throw new StillwaveError(`${path}: "${tensor.name}" and "${found.get(name)?.name}" are both "${name}"`);
    else found.set(name, tensor);
  }
  const specs = parameterSpecs(config);
  const total = specs.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  const sources = new Map<string, () => Promise<Float32Array>>();
  const used: StoredTensor[] = [];
  const missing: ParameterSpec[] = [];
  const folded = foldedWeightNorm(config, found);
  for (const spec of specs) {
    const tensor = found.get(spec.name);
    const derived = folded?.sources.get(spec.name);
    if (tensor) {
      checkTensor(path, spec, tensor);
      sources.set(spec.name, () => tensor.read());
      used.push(tensor);
      found.delete(spec.name);
    } else if (derived) sources.set(spec.name, derived);
    else if (spec.name === "masked_spec_embed") {
      sources.set(spec.name, async () => new Float32Array(sizeOf(spec.shape)));
      notes.push("no mask embedding is stored: zeros are used, so this model is no teacher for masked distillation");
    } else missing.push(spec);
  }
  if (missing.length > 0) throw missingTensor(path, missing, input.tensors);
  if (folded) {
    found.delete(folded.tensor.name);
    checkTensor(path, folded.spec, folded.tensor.tensor);
    used.push(folded.tensor.tensor);
    notes.push("the positional convolution is stored without weight norm; its norm was recomputed");
  }
  if (total > input.fileBytes)
    throw new StillwaveError(
      `${path}: ${total} parameters cannot come from ${input.fileBytes} bytes; shared or repeated storages are refused`,
    );
  for (const [name, tensor] of found) {
    if (BACKBONE.test(name) && (input.unknown === "error" || isExtraLayer(name, config)))
      throw new StillwaveError(
        `${path}: tensor "${tensor.name}" [${tensor.shape}] has no place in the model that its configuration describes (${describe(config)})`,
      );
    ignored.push(tensor.name);
  }
  return { config, sources, used, ignored, notes, part: input.part };
}

/**
 * Reads the model that a plan describes.
 * @throws StillwaveError for values that are not finite
 */
export async function readPlan(path: string, format: CheckpointFormat, plan: ModelPlan): Promise<LoadedModel> {
  const { config, used, part, ignored, notes } = plan;
  const parameters: Parameters = new Map();
  for (const { name, shape } of parameterSpecs(config)) {
    const read = plan.sources.get(name);
    if (!read) throw new InternalError(`no source of "${name}" in a plan`);
    const data = await read();
    const bad = firstNonFinite(data);
    if (bad >= 0)
      throw new StillwaveError(
        `${path}: tensor "${name}" holds ${data[bad]} at element ${bad}; the checkpoint is damaged`,
      );
    parameters.set(name, { shape, data } satisfies HostArray);
  }
  const storedDtype = [...new Set(used.map(({ dtype }) => dtype))].join(", ");
  return { config, parameters, info: { path, format, storedDtype, ...(part ? { part } : {}), ignored, notes } };
}

/** Index of the first value that is NaN or infinite; -1 where all are finite. */
export function firstNonFinite(data: Float32Array): number {
  for (let i = 0; i < data.length; i++) if (!Number.isFinite(data[i])) return i;
  return -1;
}

function describe(config: ModelConfig): string {
  return `${config.family}, ${config.layers} layers, ${config.dim} dims, ${config.conv.length} convolutions`;
}

const WEIGHT_DTYPES: readonly string[] = ["F32", "F16", "BF16", "F64"];

/** Weights are floats: integers are quantised weights without their scales, or floats under a wrong header. */
function checkTensor(path: string, spec: ParameterSpec, tensor: StoredTensor): void {
  const stored = tensor.name === spec.name ? "" : ` (stored as "${tensor.name}")`;
  const fail = (text: string): never => {
    throw new StillwaveError(`${path}: tensor "${spec.name}"${stored} has ${text}`);
  };
  if (!WEIGHT_DTYPES.includes(tensor.dtype))
    fail(`type ${tensor.dtype}, but weights are floats (${WEIGHT_DTYPES.join(", ")}); save it as float32`);
  if (spec.shape.length !== tensor.shape.length || spec.shape.some((dim, i) => dim !== tensor.shape[i]))
    fail(`shape [${tensor.shape}], but the configuration asks for [${spec.shape}]`);
}

function isExtraLayer(name: string, config: ModelConfig): boolean {
  const layer = /^encoder\.layers\.(\d+)\./.exec(name);
  if (layer) return Number(layer[1]) >= config.layers;
  const conv = /^feature_extractor\.conv_layers\.(\d+)\./.exec(name);
  return conv !== null && Number(conv[1]) >= config.conv.length;
}

/** A positional conv with its weight norm removed: v is the weight itself and g its norm over channels, which is exact. */
function foldedWeightNorm(config: ModelConfig, found: ReadonlyMap<string, StoredTensor>) {
  if (config.posConv.batchNorm) return undefined;
  const conv = "encoder.pos_conv_embed.conv";
  const tensor = found.get(`${conv}.weight`);
  if (!tensor || found.has(`${conv}.weight_g`) || found.has(`${conv}.weight_v`)) return undefined;
  const { kernel, groups } = config.posConv;
  const shape = [config.dim, config.dim / groups, kernel];
  const norm = async () => {
    const weight = await tensor.read();
    const squares = new Float64Array(kernel);
    for (let i = 0; i < weight.length; i++) squares[i % kernel] += weight[i] * weight[i];
    return Float32Array.from(squares, Math.sqrt);
  };
  const sources = new Map([
    [`${conv}.weight_v`, () => tensor.read()],
    [`${conv}.weight_g`, norm],
  ]);
  return { tensor: { name: `${conv}.weight`, tensor }, sources, spec: { name: `${conv}.weight`, shape } };
}
