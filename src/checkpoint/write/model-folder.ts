// Writes a model folder: config.json, model.safetensors, preprocessor_config.json, README.md; read back and compared.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { StillwaveError } from "../../errors.ts";
import { writeFileAtomic } from "../../files.ts";
import type { HostArray, Parameters } from "../../graph/array.ts";
import { checkModelConfig, type ModelConfig, SAMPLE_RATE_HZ } from "../../models/config.ts";
import { parameterSpecs } from "../../models/parameters.ts";
import { fromPackage } from "../../package.ts";
import { publicNames } from "../../public-names.ts";
import { writeSafetensors } from "../formats/safetensors.ts";
import { huggingFaceFamily, huggingFaceFields } from "../read/config/huggingface.ts";
import { firstNonFinite } from "../read/plan.ts";
import { modelFrontMatter } from "./front-matter.ts";
import { compareWithWritten, type WrittenModel } from "./read-back.ts";

export interface ModelFolderContent extends WrittenModel {
  /** Text of README.md. */
  readonly card?: string;
  /** Recorded in config.json under "stillwave", beside the model's own configuration; absolute paths by their last parts. */
  readonly extra?: Record<string, unknown>;
}

/** Version of the "stillwave" section of config.json. */
const FORMAT_VERSION = 1;

/** The class by which transformers loads what none of its own can hold. */
const PYTHON_FILE = "modeling_stillwave.py";

/** Names of the files in the folder of such a model. */
export const modelFiles = (config: ModelConfig): string[] => [
  ...["config.json", "model.safetensors", "preprocessor_config.json", "README.md"],
  ...(huggingFaceFamily(config) ? [] : [PYTHON_FILE]),
];

/**
 * Writes `folder` so that loadModel gives the same model back, and Hugging Face's classes load it where the
 * architecture is theirs (heads are extra tensors to them; a missing feature projection becomes an identity). Where it is
 * not, a Python file goes along by which they do. config.json is written last.
 * @throws StillwaveError where a parameter is missing, misshapen or not finite
 */
export async function writeModelFolder(folder: string, content: ModelFolderContent): Promise<void> {
  const { config, parameters, dtype = "float32", extra = {} } = content;
  checkModelConfig(config);
  const tensors = checkParameters(folder, config, parameters);
  const isHuggingFace = huggingFaceFamily(config) !== undefined;
  if (isHuggingFace && !config.featureProjection)
    for (const [name, array] of identityProjection(config.dim)) tensors.set(name, array);
  await writeSafetensors(join(folder, "model.safetensors"), tensors, { dtype });
  await writePreprocessor(folder, config);
  await writeFileAtomic(join(folder, "README.md"), content.card ?? defaultCard(config));
  if (!isHuggingFace)
    await writeFileAtomic(join(folder, PYTHON_FILE), await readFile(fromPackage(`package:python/${PYTHON_FILE}`)));
  const fields = {
    ...huggingFaceFields(config),
    torch_dtype: dtype,
    stillwave: { ...publicNames(extra), format: FORMAT_VERSION, model: config },
  };
  await writeFileAtomic(join(folder, "config.json"), json(fields));
  await compareWithWritten(folder, { config, parameters, dtype });
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

/** The parameters in the order of their specs. @throws StillwaveError where one is missing, misshapen or not finite. */
export function checkParameters(folder: string, config: ModelConfig, parameters: Parameters): Map<string, HostArray> {
  const tensors = new Map<string, HostArray>();
  for (const { name, shape } of parameterSpecs(config)) {
    const array = parameters.get(name);
    if (!array) throw new StillwaveError(`${folder}: parameter "${name}" is missing; nothing was written`);
    if (array.shape.join() !== shape.join())
      throw new StillwaveError(`${folder}: parameter "${name}" has shape [${array.shape}], expected [${shape}]`);
    if (firstNonFinite(array.data) >= 0)
      throw new StillwaveError(`${folder}: parameter "${name}" holds values that are not finite; nothing was written`);
    tensors.set(name, array);
  }
  if (parameters.size > tensors.size)
    throw new StillwaveError(
      `${folder}: parameters of no part of the model: ${[...parameters.keys()].filter((n) => !tensors.has(n)).join(", ")}`,
    );
  return tensors;
}

function identityProjection(dim: number): [string, HostArray][] {
  const weight = new Float32Array(dim * dim);
  for (let i = 0; i < dim; i++) weight[i * dim + i] = 1;
  return [
    ["feature_projection.projection.weight", { shape: [dim, dim], data: weight }],
    ["feature_projection.projection.bias", { shape: [dim], data: new Float32Array(dim) }],
  ];
}

/** Writes preprocessor_config.json: how waveforms become what the model reads. */
export async function writePreprocessor(folder: string, config: ModelConfig): Promise<void> {
  const fields = {
    feature_extractor_type: "Wav2Vec2FeatureExtractor",
    feature_size: 1,
    sampling_rate: SAMPLE_RATE_HZ,
    do_normalize: config.normalizeWaveform,
    return_attention_mask: config.convNorm === "layer",
    padding_side: "right",
    padding_value: 0,
  };
  await writeFileAtomic(join(folder, "preprocessor_config.json"), json(fields));
}

function defaultCard(config: ModelConfig): string {
  return `${modelFrontMatter(config, {})}# ${config.family} model\n\n${config.layers} layers, ${config.dim} dims, ${config.heads} heads, feed-forward ${config.ffnDim}.\n`;
}
