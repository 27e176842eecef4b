// Replays a recorded distillation step: both teacher passes, the student, losses, gradients, optimiser steps, validation.
import { join } from "node:path";
import {
  configFromFairseq,
  configFromOfficialStudent,
  fromFairseqNames,
  readAllSafetensors,
} from "../checkpoint/index.ts";
import type { Batch } from "../data/batch.ts";
import type { LossOptions, StepLosses } from "../distill/loss.ts";
import { createDistillStep, studentGraph } from "../distill/step.ts";
import { teacherPasses } from "../distill/targets.ts";
import type { HostArray, Parameters } from "../graph/array.ts";
import type { Value } from "../graph/value.ts";
import type { ModelConfig } from "../models/config.ts";
import { validFrames } from "../models/config.ts";
import type { EncoderOutputs } from "../models/forward.ts";
import { adamwUpdate, createAdamWState, decayRanges, warmupLinear } from "../optim/index.ts";
import type { Feed, Runtime } from "../runtime/runtime.ts";
import { createUpstream } from "../upstream/inference.ts";
import {
  type CaseConfig,
  readCaseConfig,
  recordedLengths,
  recordedMask,
  recordedWave,
  recordedWeights,
} from "./case.ts";
import type { Difference, Pair } from "./compare.ts";
import { batchFirst, channelsLast, compareKind } from "./compare.ts";

/** Relative L2 of values and gradients in float32 against float64. */
const STEP_TOLERANCE = 2e-5;
/** Relative L2 of weights after optimiser steps. */
const WEIGHT_TOLERANCE = 1e-4;
/** The released code's decay, whatever its configuration says. */
const OFFICIAL_WEIGHT_DECAY = 0.01;

/** Everything a replay needs, read once. */
interface RecordedCase {
  readonly tensors: Map<string, HostArray>;
  readonly config: CaseConfig;
  readonly teacher: { config: ModelConfig; parameters: Parameters };
  readonly student: { config: ModelConfig; parameters: Parameters };
  readonly batch: Batch;
  readonly mask: Uint8Array;
  readonly loss: LossOptions;
  /** Parameters whose gradients and updates are compared. */
  readonly comparable: ReadonlySet<string>;
}

async function readCase(folder: string): Promise<RecordedCase> {
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
  const wave = recordedWave(tensors, "wave", path, [teacher, student]);
  const paddedSamples = wave.shape[1];
  const samples = recordedLengths(tensors.get("padding_mask"), wave, path, [teacher, student]);
  const names = samples.map((_, item) => `item ${item}`);
  const studentModel = {
    config: student,
    parameters: recordedWeights(tensors, student, "student.", path),
  };
  return {
    tensors,
    config,
    teacher: { config: teacher, parameters: recordedWeights(tensors, teacher, "teacher.", path) },
    student: studentModel,
    comparable: comparableNames(tensors, studentModel),
    batch: { wave: wave.data, paddedSamples, samples, ids: names, paths: names },
    mask: recordedMask(tensors, wave, student, path),
    loss: {
      kind: config.train.rec_loss_type === "l1" ? "l1" : "mse",
      hintWeight: config.train.random_layer_weight,
      lastWeight: config.train.rec_loss_weight,
      countPaddedFrames: true,
    },
  };
}

const scalarArray = (value: number): HostArray => ({ shape: [1], data: Float32Array.of(value) });

/** Pairs computed outputs with what the case records under `prefix`; tensors that are not recorded are left out. */
function pairsOf(
  recorded: ReadonlyMap<string, HostArray>,
  prefix: string,
  computed: Record<string, HostArray>,
): Pair[] {
  return Object.entries(computed).flatMap(([name, array]) => {
    const found = recorded.get(`${prefix}${name}`);
    if (!found) return [];
    const turned = /(^|\.)(cnn|pos_conv)$/.test(name) ? channelsLast(found) : found;
    return [{ name: `${prefix}${name}`, computed: array, recorded: turned }];
  });
}

/** Our intermediates under the recorded names. */
function intermediates(
  features: { conv: Value; normed: Value; projected: Value },
  encoded: EncoderOutputs,
): [string, Value][] {
  return [
    ["cnn", features.conv],
    ["feat_ln", features.normed],
    ["post_extract_proj", features.projected],
    ["pos_conv", encoded.posConv],
    ["enc_ln", encoded.encoderInput],
    ...encoded.layers.map((layer, i): [string, Value] => [`layer.${i}`, layer]),
    ...encoded.heads.map((head, i): [string, Value] => [`proj.${i}`, head]),
  ];
}

const countsFeed = (config: ModelConfig, { samples, paddedSamples }: Batch): Feed => ({
  shape: [samples.length],
  data: BigInt64Array.from(samples, (count) => BigInt(validFrames(config, count, paddedSamples))),
});

async function teacherPairs(runtime: Runtime, recorded: RecordedCase): Promise<Pair[]> {
  const { teacher, batch, tensors } = recorded;
  const padded = batch.samples.some((count) => count < batch.paddedSamples);
  const { features, full, masked } = teacherPasses(teacher.config, { training: true, padded });
  const outputs = new Map([
    ...intermediates(features, full).map(([name, value]): [string, Value] => [`teacher_u.${name}`, value]),
    ...intermediates(features, masked!).map(([name, value]): [string, Value] => [`teacher_m.${name}`, value]),
  ]);
  const executable = await runtime.compile({ name: "teacher", outputs });
  const computed = await executable.run(feedsOf(recorded, teacher, padded));
  await executable.dispose();
  return pairsOf(tensors, "", computed);
}

function feedsOf(
  { batch, mask }: RecordedCase,
  model: { config: ModelConfig; parameters: Parameters },
  padded: boolean,
): Record<string, Feed> {
  const shape = [batch.samples.length, batch.paddedSamples];
  const feeds: Record<string, Feed> = {
    ...Object.fromEntries(model.parameters),
    wave: { shape, data: batch.wave },
    mask: { shape: [shape[0], mask.length / shape[0]], data: mask },
  };
  if (padded) feeds.validFrames = countsFeed(model.config, batch);
  return feeds;
}

/** The student's masked training pass without dropout, with its attention maps. */
async function studentPairs(runtime: Runtime, recorded: RecordedCase) {
  const { student, batch, tensors, loss, config } = recorded;
  const padded = batch.samples.some((count) => count < batch.paddedSamples);
  const { features, encoded } = studentGraph(
    student.config,
    {
      loss,
      dropout: { residual: 0, attention: 0, activation: 0, input: 0 },
      layerGradientScale: config.student.layer_grad_scale === true,
    },
    { training: true, padded },
  );
  const outputs = new Map([
    ...intermediates(features, encoded),
    ...[...encoded.maps].map(([layer, map]): [string, Value] => [`map.${layer}`, map]),
  ]);
  const executable = await runtime.compile({ name: "student", outputs });
  const computed = await executable.run(feedsOf(recorded, student, padded));
  await executable.dispose();
  const states = pairsOf(tensors, "student_fwd.", computed);
  const lastHead = computed[`proj.${student.config.headLayers.length - 1}`];
  if (lastHead) states.push(...pairsOf(tensors, "student_fwd.", { x: lastHead }));
  const maps = [...encoded.maps.keys()].flatMap((layer): Pair[] => {
    const found = tensors.get(`student.attn_map.${layer}`);
    return found
      ? [{ name: `student.attn_map.${layer}`, computed: computed[`map.${layer}`], recorded: batchFirst(found) }]
      : [];
  });
  return { states, maps };
}

/** Item 0 alone, and the unmasked batch, through the inference graph. */
async function inferencePairs(runtime: Runtime, recorded: RecordedCase): Promise<Pair[]> {
  const { student, batch, tensors } = recorded;
  const upstream = createUpstream(student, runtime);
  const alone = await upstream.extract(batch.wave.subarray(0, batch.samples[0]), { normalize: false });
  const all = await upstream.extract(batch, { normalize: false });
  await upstream.dispose();
  const named = (prefix: string, arrays: readonly HostArray[]) =>
    Object.fromEntries(arrays.map((array, i) => [`${prefix}.${i}`, array]));
  return [
    ...pairsOf(tensors, "alone0.", { ...named("layer", alone.layers), ...named("proj", alone.heads) }),
    ...pairsOf(tensors, "val.", named("proj", all.heads)),
  ];
}

const lossNames = (losses: StepLosses, loss: LossOptions): Record<string, HostArray> => ({
  total: scalarArray(losses.total),
  mask_hint_loss: scalarArray(losses.hintMasked),
  unmask_hint_loss: scalarArray(losses.hintUnmasked),
  mask_rec_loss: scalarArray(losses.lastMasked),
  unmask_rec_loss: scalarArray(losses.lastUnmasked),
  hint_loss: scalarArray(loss.hintWeight * (losses.hintMasked + losses.hintUnmasked)),
  rec_loss: scalarArray(loss.lastWeight * (losses.lastMasked + losses.lastUnmasked)),
});

/** A recorded gradient this far below the whole gradient's norm is the rounding noise of a zero. */
const ZERO_GRADIENT = 1e-10;

/**
 * Parameters whose gradient is not zero in theory. Zero are those of key biases (softmax ignores a shift of a row) and of
 * biases that a norm over the same axis removes; what is recorded for them, and AdamW's step along it, is noise.
 */
function comparableNames(
  tensors: ReadonlyMap<string, HostArray>,
  student: { config: ModelConfig; parameters: Parameters },
): Set<string> {
  const norm = ({ data }: HostArray) => Math.sqrt(data.reduce((sum, value) => sum + value * value, 0));
  const gradients = [...fromFairseqNames(tensors, student.config, { prefix: "grad.", partial: true })];
  const norms = new Map(gradients.map(([name, array]) => [name, norm(array)]));
  const whole = Math.hypot(...norms.values());
  const isZero = (name: string) => (norms.get(name) ?? 1) < ZERO_GRADIENT * whole;
  return new Set([...student.parameters.keys()].filter((name) => !name.endsWith("k_proj.bias") && !isZero(name)));
}

/** Copies of the student's tensors as they are now, under recorded names. */
function weightPairs(recorded: RecordedCase, prefix: string, current: Parameters): Pair[] {
  const expected = fromFairseqNames(recorded.tensors, recorded.student.config, { prefix, partial: true });
  return [...expected]
    .filter(([name]) => recorded.comparable.has(name))
    .map(([name, array]) => {
      const now = current.get(name)!;
      return { name: `${prefix}${name}`, computed: { shape: now.shape, data: now.data.slice() }, recorded: array };
    });
}

async function trainingPairs(runtime: Runtime, recorded: RecordedCase) {
  const { config, teacher, student, batch, mask, loss, tensors } = recorded;
  const step = createDistillStep({
    runtime,
    teacher,
    student,
    loss,
    dropout: { residual: 0, attention: 0, activation: 0, input: 0 },
    layerGradientScale: config.student.layer_grad_scale === true,
  });
  const validation = await step.validate(batch);
  const losses = pairsOf(tensors, "val.", { loss: scalarArray(validation.total) });
  const { lr, betas, eps, warmup_proportion, total_steps } = config.optimizer;
  const state = createAdamWState(step.weights.length);
  const options = { betas, eps, decay: decayRanges(step.parameters, OFFICIAL_WEIGHT_DECAY) };
  const weights: Pair[] = [];
  let gradients: Pair[] = [];
  for (let update = 1; update <= 3; update++) {
    step.zeroGradients();
    const now = await step.accumulate(batch, mask, 1, 0);
    if (update === 1) {
      losses.push(...pairsOf(tensors, "loss.", lossNames(now, loss)));
      let offset = 0;
      const views: Parameters = new Map();
      for (const [name, { shape, data }] of step.parameters) {
        views.set(name, { shape, data: step.gradients.subarray(offset, offset + data.length) });
        offset += data.length;
      }
      gradients = weightPairs(recorded, "grad.", views);
    }
    const rate = lr * warmupLinear(update, { totalSteps: total_steps, warmupFraction: warmup_proportion });
    adamwUpdate(step.weights, step.gradients, state, rate, options);
    weights.push(...weightPairs(recorded, `after${update}.`, step.parameters));
  }
  await step.dispose();
  return { losses, gradients, weights };
}

/** All differences of one recorded distillation step. */
export async function verifyDistillation(folder: string, runtime: Runtime): Promise<Difference[]> {
  const recorded = await readCase(folder);
  const student = await studentPairs(runtime, recorded);
  const training = await trainingPairs(runtime, recorded);
  const states = [...student.states, ...(await inferencePairs(runtime, recorded))];
  return [
    compareKind("teacher hidden states", await teacherPairs(runtime, recorded), "l2", STEP_TOLERANCE),
    compareKind("student hidden states", states, "l2", STEP_TOLERANCE),
    compareKind("attention maps", student.maps, "l2", STEP_TOLERANCE),
    compareKind("losses", training.losses, "l2", STEP_TOLERANCE),
    compareKind("gradients", training.gradients, "l2", STEP_TOLERANCE),
    compareKind("weights after steps", training.weights, "l2", WEIGHT_TOLERANCE),
  ].filter((difference) => difference !== undefined);
}
