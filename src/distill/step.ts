// One step of learning: the teachers' states -> student -> objectives -> gradients, on any runtime, for batches of any length.
import { gradients } from "../autodiff/gradient.ts";
import type { Parameters } from "../graph/array.ts";
import * as g from "../graph/ops.ts";
import { input, type Value } from "../graph/value.ts";
import { looseMemory, memoryLimit } from "../memory.ts";
import { framesOf, type ModelConfig } from "../models/config.ts";
import { flatten } from "../models/flat.ts";
import { type DropoutRates, encode, extractFeatures, maskFeatures, projectFeatures } from "../models/forward.ts";
import type { ModelWeights } from "../models/parameters.ts";
import { BATCH, FRAMES, maskInput, outputFrames, specInputs, validInput, waveInput } from "../models/trace.ts";
import { isPadded, normalizeWaveforms, waveFeeds } from "../models/waveform.ts";
import { type DropoutSite, fedDropout, noDropout, type ParameterLookup } from "../nn/scope.ts";
import type { Executable, Feed, Feeds, Runtime } from "../runtime/runtime.ts";
import { SessionCache } from "../runtime/sessions.ts";
import { GradientAccumulator } from "../training/accumulator.ts";
import { drawDropoutMasks } from "../training/dropout-masks.ts";
import { lossesOf, type StepLosses, TOTAL, termOutput } from "./losses.ts";
import { drawLayers, KEPT_LAYERS } from "./masks.ts";
import { countFeeds, countFrames, type FrameLabels, lossFrames } from "./objectives/frames.ts";
import { type Objective, parameterName, termName } from "./objectives/objective.ts";
import { type Learning, trainedParameters, trainedSpecs } from "./objectives/parameters.ts";
import type { SpeechBatch } from "./shares.ts";
import { CONV_FEATURES, type StepVariant, targetGraph, targetName, targetsOf } from "./targets.ts";

/**
 * A batch, what is known of its frames, and what is random about it: the same seed draws the same dropout and skips the same
 * layers. Where it is a part of one, labels are those of the whole, and so are losses and gradients.
 */
export interface MicroBatch extends FrameLabels {
  readonly batch: SpeechBatch;
  readonly dropoutSeed: number;
}

/** The compiled step. What is trained and its gradients live in flat buffers that the optimiser works on in place. */
export interface DistillStep {
  readonly objectives: readonly Objective[];
  /** Parameters of student and objectives, views into `weights`, in `trainedSpecs` order. */
  readonly parameters: Parameters;
  readonly weights: Float32Array;
  /** Sum over the micro-batches accumulated since `zeroGradients`, in the order of the weights. */
  readonly gradients: Float32Array;
  zeroGradients(): void;
  /** Forward and backward of one micro-batch; adds `scale` times its gradient to `gradients`. */
  accumulate(micro: MicroBatch, scale: number): Promise<StepLosses>;
  /** No dropout, no gradient, and no mask where none is given. */
  validate(batch: SpeechBatch, labels?: FrameLabels): Promise<StepLosses>;
  /** Frames of a batch, padding included, and those of each item without it. */
  framesOf(batch: Pick<SpeechBatch, "samples" | "paddedSamples">): {
    readonly frames: number;
    readonly valid: readonly number[];
  };
  dispose(): Promise<void>;
}

/** What the student's graph is traced from. */
export interface StudentOptions extends Learning {
  /** Padded frames count as unmasked frames, and in means (the released code); otherwise they are left out of both. */
  readonly countPaddedFrames: boolean;
  readonly dropout: DropoutRates;
  readonly layerGradientScale: boolean;
}

export interface StepOptions extends StudentOptions {
  readonly runtime: Runtime;
  /** As objectives number them. */
  readonly teachers: readonly ModelWeights[];
  readonly student: ModelWeights;
  /** Of the objectives' own initial weights; default 0. */
  readonly seed?: number;
}

/** Memory of the process above which sessions are made anew. */
const RECYCLE_ABOVE_BYTES = Math.min(4 * 2 ** 30, memoryLimit().bytes / 2);

/**
 * The student's forward pass, its objectives and, in training, `gradient.<parameter>` of `total * lossScale`. Inputs beside
 * parameters: wave (convFeatures where convolutions are frozen), mask, validFrames (padded), count.<counted>, lossScale, what
 * objectives read (target.<states>, units), dropout masks, keptLayers.
 */
export function studentGraph(config: ModelConfig, options: StudentOptions, variant: StepVariant) {
  const { training, masked, padded, keysInProduct } = variant;
  const { objectives, countPaddedFrames, dropout: rates } = options;
  const { values, lookup } = specInputs(trainedSpecs(config, options));
  const time = options.freezeConv ? FRAMES : outputFrames(config);
  const sites: DropoutSite[] = [];
  const dropout = training ? fedDropout(sites) : noDropout;
  const forward = {
    dropout,
    rates,
    layerGradientScale: training && options.layerGradientScale,
    keptLayers: training && rates.layer ? input(KEPT_LAYERS, [config.layers]) : undefined,
    keysInProduct,
    trainsPositions: training,
  };

  const features = options.freezeConv ? givenFeatures(config, lookup) : extractFeatures(config, lookup, waveInput());
  const marks = { masked: masked ? maskInput(time) : null, valid: padded ? validInput(time) : null };
  const dropped = dropout(features.projected, "input", rates.input);
  const encoderInput = maskFeatures(lookup, dropped, marks);
  const encoded = encode(config, lookup, encoderInput, marks.valid, forward);

  const frames = lossFrames(features.projected, marks, countPaddedFrames);
  const units = objectives.some(({ readsUnits }) => readsUnits) ? input("units", [BATCH, time], "int64") : null;
  const inputs = new Map<string, Value>();
  const terms = new Map<string, Value>();
  const losses = objectives.map((objective) => {
    const targets = objective.targets.map((states) => {
      const name = targetName(states);
      const known = inputs.get(name) ?? input(name, [BATCH, time, states.dim]);
      inputs.set(name, known);
      return known;
    });
    const parameter = (name: string) => lookup(parameterName(objective, name));
    const { loss, values } = objective.build({ features, encoded, targets, units, frames, parameter });
    for (const [i, term] of objective.terms.entries()) terms.set(termOutput(termName(objective, term)), values[i]);
    return objective.weight === 1 ? loss : g.mul(loss, objective.weight);
  });
  const outputs = new Map([...terms, [TOTAL, losses.reduce((a, b) => g.add(a, b))]]);
  if (training) {
    const scaled = g.mul(outputs.get(TOTAL)!, input("lossScale", []));
    const names = [...values.keys()];
    for (const [i, gradient] of gradients(scaled, [...values.values()]).entries())
      outputs.set(`gradient.${names[i]}`, gradient);
  }
  return { graph: { name: training ? "student-step" : "student-validation", outputs }, sites, features, encoded };
}

/** Features of convolutions that are computed once for teacher and student. */
function givenFeatures(config: ModelConfig, p: ParameterLookup) {
  const channels = config.conv[config.conv.length - 1].channels;
  const conv = input(CONV_FEATURES, [BATCH, FRAMES, channels]);
  return { conv, ...projectFeatures(config, p, conv) };
}

/** What graphs are fed of a batch: speech and labels by model, and its counts. */
function batchFeeds(batch: SpeechBatch, labels: FrameLabels, options: StepOptions) {
  const { teachers, student, countPaddedFrames } = options;
  const frames = framesOf(student.config, batch);
  const shape = [batch.samples.length, frames.frames];
  const labelled: Record<string, Feed> = {};
  if (labels.mask) labelled.mask = { shape, data: labels.mask };
  if (labels.units) labelled.units = { shape, data: labels.units };
  const { wave, paddedSamples, samples } = batch;
  const isNormalized = [...teachers, student].some(({ config }) => config.normalizeWaveform);
  const normal = isNormalized ? { ...batch, wave: normalizeWaveforms(wave, paddedSamples, samples) } : batch;
  const speech = (config: ModelConfig): Record<string, Feed> => ({
    ...waveFeeds(config, config.normalizeWaveform ? normal : batch),
    ...labelled,
  });
  const counts = countFrames(frames, labels, countPaddedFrames);
  const counted = Object.entries(countFeeds(counts)).map(([name, data]): [string, Feed] => [name, { shape: [], data }]);
  return { speech, counts, counted: Object.fromEntries(counted) };
}

/** Compiles on first use: sessions per variant (padded or not, masked or not, training or validation), any lengths. */
export function createDistillStep(options: StepOptions): DistillStep {
  const { runtime, teachers, student, objectives, dropout, seed = 0 } = options;
  const specs = trainedSpecs(student.config, options);
  const weights = flatten(specs, trainedParameters(student, objectives, seed));
  const gradients = new GradientAccumulator(specs);
  const sessions = new SessionCache(runtime, () => looseMemory() >= RECYCLE_ABOVE_BYTES);
  const fixed = teachers.map(({ parameters }) => Object.fromEntries(parameters));
  const trained = Object.fromEntries(weights.views);

  /** The student's session for a batch, and what it is fed: weights, speech, labels, and the states of its teachers. */
  async function taught(batch: SpeechBatch, labels: FrameLabels, training: boolean) {
    const variant = { training, masked: labels.mask !== undefined, padded: isPadded(batch) };
    const compiled = await sessions.get(JSON.stringify(variant), async (compile) => {
      const { graph, sites } = studentGraph(student.config, options, variant);
      const targets = new Map<number, Executable>();
      for (const [i, { config }] of teachers.entries()) {
        const asked = targetsOf(options, i);
        if (asked.wanted.length > 0 || asked.givesConv)
          targets.set(i, await compile(targetGraph(config, asked, variant)));
      }
      return { targets, student: await compile(graph), sites };
    });
    const { speech, counted, counts } = batchFeeds(batch, labels, options);
    const targets: Record<string, Feed> = {};
    for (const [i, teacher] of compiled.targets)
      Object.assign(targets, await teacher.run({ ...fixed[i], ...speech(teachers[i].config) }));
    const feeds: Feeds = { ...trained, ...speech(student.config), ...targets, ...counted };
    return { ...compiled, feeds, counts };
  }

  return {
    objectives,
    parameters: weights.views,
    weights: weights.flat,
    gradients: gradients.flat,
    zeroGradients: () => gradients.reset(),
    framesOf: (batch) => framesOf(student.config, batch),
    async accumulate({ batch, dropoutSeed, ...labels }, scale) {
      const { student: session, sites, feeds, counts } = await taught(batch, labels, true);
      const { frames } = framesOf(student.config, batch);
      const sizes = { batch: batch.samples.length, samples: batch.paddedSamples, frames };
      const lossScale: Feed = { shape: [], data: Float32Array.of(scale) };
      const { layers } = student.config;
      const kept: Feed = { shape: [layers], data: drawLayers(layers, dropout.layer ?? 0, dropoutSeed) };
      const drawn = { ...drawDropoutMasks(sites, sizes, dropoutSeed), [KEPT_LAYERS]: kept };
      const fed = { ...feeds, ...drawn, lossScale };
      const losses = lossesOf(objectives, await gradients.add((into) => session.run(fed, into)), counts);
      await sessions.used();
      return losses;
    },
    async validate(batch, labels = {}) {
      const { student, feeds, counts } = await taught(batch, labels, false);
      return lossesOf(objectives, await student.run(feeds), counts);
    },
    dispose: () => sessions.release(),
  };
}
