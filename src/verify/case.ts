// What a recorded case must hold before it can be replayed: settings and tensors, checked so that a bad file is one clear error.
import { join } from "node:path";
import { z } from "zod";
import { fairseqName, fromFairseqNames } from "../checkpoint/index.ts";
import { readJson } from "../checkpoint/read/folder.ts";
import { StillwaveError } from "../errors.ts";
import type { HostArray, Parameters } from "../graph/array.ts";
import { frameCount, type ModelConfig } from "../models/config.ts";
import { parameterSpecs } from "../models/parameters.ts";
import type { PaddedWaveforms } from "../models/waveform.ts";

const fields = z.record(z.string(), z.unknown());
const caseSchema = z.object({
  student_model: z.string(),
  student: fields,
  teacher_kind: z.enum(["hubert", "wav2vec2", "wavlm"]),
  teacher: fields,
  paper_semantics: z.boolean(),
  train: z.object({ rec_loss_type: z.string(), rec_loss_weight: z.number(), random_layer_weight: z.number() }),
  optimizer: z.object({
    lr: z.number().positive(),
    warmup_proportion: z.number().min(0).max(1),
    betas: z.tuple([z.number().min(0).lt(1), z.number().min(0).lt(1)]),
    eps: z.number().positive(),
    total_steps: z.int().min(3),
  }),
});

/** Settings of a recorded distillation step, in the terms of the released code. */
export type CaseConfig = z.output<typeof caseSchema>;

/** Recorded cases are small; a wave of more samples is no case. */
const MAX_WAVE_SAMPLES = 2 ** 26;

/**
 * Reads config.json of a recorded distillation step.
 * @throws StillwaveError naming the file and the field
 */
export async function readCaseConfig(folder: string): Promise<CaseConfig> {
  const path = join(folder, "config.json");
  const value = await readJson(path);
  if (!value) throw new StillwaveError(`${path}: missing; it holds the settings of a recorded distillation step`);
  const parsed = caseSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const { path: place, message } = parsed.error.issues[0];
  const problem = message.replace(/^Invalid input: /, "").replace(/, received undefined$/, "; it is missing");
  throw new StillwaveError(`${path}: not a recorded distillation step: ${place.join(".") || "settings"}: ${problem}`);
}

function requiredTensor(tensors: ReadonlyMap<string, HostArray>, name: string, path: string): HostArray {
  const found = tensors.get(name);
  if (!found) throw new StillwaveError(`${path}: tensor "${name}" is missing`);
  return found;
}

/**
 * The waveforms of run `run` of a case, each of at least `shortest` samples: `wave<run>` [items, samples], their lengths
 * from `padding_mask<run>` (1 at padding) or `attention_mask<run>` (1 at speech).
 * @throws StillwaveError naming the tensor
 */
export function recordedWaves(
  tensors: ReadonlyMap<string, HostArray>,
  run: string,
  path: string,
  shortest: number,
): PaddedWaveforms {
  const name = `wave${run}`;
  const { shape, data: wave } = requiredTensor(tensors, name, path);
  const [items = 0, paddedSamples = 0] = shape;
  if (shape.length !== 2 || items < 1 || paddedSamples < shortest || wave.length > MAX_WAVE_SAMPLES)
    throw new StillwaveError(
      `${path}: "${name}" has shape [${shape}], expected [items, samples] with at least ${shortest} samples`,
    );
  if (!wave.every(Number.isFinite)) throw new StillwaveError(`${path}: "${name}" holds values that are no numbers`);
  const padding = tensors.get(`padding_mask${run}`);
  const mask = padding ?? tensors.get(`attention_mask${run}`);
  if (mask && (mask.shape.join() !== shape.join() || mask.data.some((value) => value !== 0 && value !== 1)))
    throw new StillwaveError(
      `${path}: a mask of shape [${mask.shape}] for waves of shape [${shape}], or not of 0 and 1`,
    );
  const samples = Array.from({ length: items }, (_, item) => {
    const row = mask?.data.subarray(item * paddedSamples, (item + 1) * paddedSamples);
    const ones = row?.reduce((sum, one) => sum + one, 0) ?? paddedSamples;
    const length = padding ? paddedSamples - ones : ones;
    if (length < shortest)
      throw new StillwaveError(`${path}: item ${item} has ${length} samples, the model needs at least ${shortest}`);
    return length;
  });
  return { wave, paddedSamples, samples };
}

/** The recorded span mask, [items, frames] of 0 and 1. */
export function recordedMask(
  tensors: ReadonlyMap<string, HostArray>,
  { samples, paddedSamples }: PaddedWaveforms,
  config: ModelConfig,
  path: string,
): Uint8Array {
  const mask = requiredTensor(tensors, "mask_indices", path);
  const expected = [samples.length, frameCount(config.conv, paddedSamples)];
  if (mask.shape.join() !== expected.join())
    throw new StillwaveError(`${path}: "mask_indices" has shape [${mask.shape}], expected [${expected}]`);
  return Uint8Array.from(mask.data);
}

/** The weights recorded under `prefix`, of the shapes that the settings ask for. */
export function recordedWeights(
  tensors: ReadonlyMap<string, HostArray>,
  config: ModelConfig,
  prefix: string,
  path: string,
): Parameters {
  const parameters = fromFairseqNames(tensors, config, { prefix });
  for (const { name, shape } of parameterSpecs(config)) {
    const found = parameters.get(name)?.shape;
    if (found?.join() !== shape.join())
      throw new StillwaveError(
        `${path}: "${prefix}${fairseqName(name, config)}" has shape [${found}], the settings ask for [${shape}]`,
      );
  }
  return parameters;
}
