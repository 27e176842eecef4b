// A recorded distillation step, read once: models, batch, mask, losses, and what of it can be compared.
import { join } from "node:path";
import {
  configFromFairseq,
  configFromOfficialStudent,
  fromFairseqNames,
  readAllSafetensors,
} from "../../checkpoint/index.ts";
import type { Batch } from "../../data/batch.ts";
import type { LayersOptions } from "../../distill/objectives/layers.ts";
import { makeObjectives } from "../../distill/objectives/make.ts";
import type { StudentOptions } from "../../distill/step.ts";
import type { HostArray, Parameters } from "../../graph/array.ts";
import { type ModelConfig, receptiveField } from "../../models/config.ts";
import type { ModelWeights } from "../../models/parameters.ts";
import { waveFeeds } from "../../models/waveform.ts";
import type { Feed } from "../../runtime/runtime.ts";
import { type CaseConfig, readCaseConfig, recordedMask, recordedWaves, recordedWeights } from "../case.ts";
import { type Pair, swapAxes } from "../compare.ts";

export interface RecordedStep {
  readonly tensors: ReadonlyMap<string, HostArray>;
  readonly config: CaseConfig;
  readonly teacher: ModelWeights;
  readonly student: ModelWeights;
  readonly batch: Batch;
  readonly mask: Uint8Array;
  readonly loss: LayersOptions;
  /** The released code's, none of it drawn: recordings are made without dropout. */
  readonly training: StudentOptions;
  /** Parameters whose gradients and updates are compared. */
  readonly comparable: ReadonlySet<string>;
}

const NO_DROPOUT = { residual: 0, attention: 0, activation: 0, input: 0 } as const;

export async function readStep(folder: string): Promise<RecordedStep> {
  const path = join(folder, "data.safetensors");
  const config = await readCaseConfig(folder);
  const tensors = await readAllSafetensors(path);
  // The recorded waveforms were fed as they are, whatever the models' own data loading did.
  const teacher: ModelConfig = {
    ...configFromFairseq(config.teacher, config.teacher_kind, { where: `${folder}/config.json teacher` }),
    normalizeWaveform: false,
  };
  const student = configFromOfficialStudent(config.student, config.student_model, {
    reuse: config.paper_semantics ? "exact" : "official",
    where: `${folder}/config.json student`,
  });
  const shortest = Math.max(receptiveField(teacher.conv), receptiveField(student.conv));
  const waves = recordedWaves(tensors, "", path, shortest);
  const names = waves.samples.map((_, item) => `item ${item}`);
  const loss: LayersOptions = {
    kind: config.train.rec_loss_type === "l1" ? "l1" : "mse",
    hintWeight: config.train.random_layer_weight,
    lastWeight: config.train.rec_loss_weight,
  };
  const studentModel = { config: student, parameters: recordedWeights(tensors, student, "student.", path) };
  return {
    tensors,
    config,
    teacher: { config: teacher, parameters: recordedWeights(tensors, teacher, "teacher.", path) },
    student: studentModel,
    comparable: comparableNames(tensors, studentModel),
    batch: { ...waves, ids: names, paths: names },
    mask: recordedMask(tensors, waves, student, path),
    loss,
    training: {
      objectives: makeObjectives(
        { objectives: null, loss, student: { teacherLayers: null } },
        { teachers: [teacher], student },
      ),
      countPaddedFrames: true,
      dropout: NO_DROPOUT,
      layerGradientScale: config.student.layer_grad_scale === true,
    },
  };
}

/** A recorded gradient this far below the whole gradient's norm is the rounding noise of a zero. */
const ZERO_GRADIENT = 1e-10;

/**
 * Parameters whose gradient is not zero in theory. Zero are those of key biases (softmax ignores a shift of a row) and of
 * biases that a norm over the same axis removes; what is recorded for them, and AdamW's step along it, is noise.
 */
function comparableNames(tensors: ReadonlyMap<string, HostArray>, student: ModelWeights): Set<string> {
  const norm = ({ data }: HostArray) => Math.sqrt(data.reduce((sum, value) => sum + value * value, 0));
  const gradients = [...fromFairseqNames(tensors, student.config, { prefix: "grad.", partial: true })];
  const norms = new Map(gradients.map(([name, array]) => [name, norm(array)]));
  const whole = Math.hypot(...norms.values());
  const isZero = (name: string) => (norms.get(name) ?? 1) < ZERO_GRADIENT * whole;
  return new Set([...student.parameters.keys()].filter((name) => !name.endsWith("k_proj.bias") && !isZero(name)));
}

/** Pairs computed outputs with what the case records under `prefix`; tensors that are not recorded are left out. */
export function pairsOf(
  { tensors }: RecordedStep,
  prefix: string,
  computed: Readonly<Record<string, HostArray>>,
): Pair[] {
  return Object.entries(computed).flatMap(([name, array]) => {
    const found = tensors.get(`${prefix}${name}`);
    if (!found) return [];
    const turned = /(^|\.)(cnn|pos_conv)$/.test(name) ? swapAxes(found, 1) : found;
    return [{ name: `${prefix}${name}`, computed: array, recorded: turned }];
  });
}

/** Parameters as they are now, under recorded names. */
export function parameterPairs(recorded: RecordedStep, prefix: string, current: Parameters): Pair[] {
  const expected = fromFairseqNames(recorded.tensors, recorded.student.config, { prefix, partial: true });
  return [...expected].flatMap(([name, array]) => {
    const now = current.get(name);
    if (!now || !recorded.comparable.has(name)) return [];
    return [{ name: `${prefix}${name}`, computed: { shape: now.shape, data: now.data.slice() }, recorded: array }];
  });
}

/** What a graph of the model is fed for the recorded batch and mask. */
export function feedsOf({ batch, mask }: RecordedStep, { config, parameters }: ModelWeights): Record<string, Feed> {
  const items = batch.samples.length;
  const masked: Feed = { shape: [items, mask.length / items], data: mask };
  return { ...Object.fromEntries(parameters), ...waveFeeds(config, batch), mask: masked };
}
