// One step of distillation: the teacher's targets -> student -> loss -> gradients, on any runtime, for batches of any length.
import { gradients } from "../autodiff/gradient.ts";
import type { Batch } from "../data/batch.ts";
import type { Parameters } from "../graph/array.ts";
import type { Graph } from "../graph/graph.ts";
import * as g from "../graph/ops.ts";
import { input, type Value } from "../graph/value.ts";
import { looseMemory, memoryLimit } from "../memory.ts";
import { framesOf, type ModelConfig } from "../models/config.ts";
import { flatten } from "../models/flat.ts";
import { type DropoutRates, encode, extractFeatures, maskFeatures } from "../models/forward.ts";
import { type ModelWeights, parameterSpecs } from "../models/parameters.ts";
import { maskInput, outputFrames, parameterInputs, validInput, waveInput } from "../models/trace.ts";
import { isPadded, normalizeWaveforms, waveFeeds } from "../models/waveform.ts";
import { type DropoutSite, fedDropout, noDropout } from "../nn/scope.ts";
import type { Feed, Feeds, Runtime } from "../runtime/runtime.ts";
import { SessionCache } from "../runtime/sessions.ts";
import { GradientAccumulator } from "../training/accumulator.ts";
import { drawDropoutMasks } from "../training/dropout-masks.ts";
import { distillationLoss, type LossOptions, lossesOf, type StepLosses } from "./loss.ts";
import { type StepVariant, targetLayers, teacherPasses } from "./targets.ts";

/** The compiled step. Student weights and gradients live in flat buffers that the optimiser works on in place. */
export interface DistillStep {
  /** Student parameters, views into `weights`, in `parameterSpecs` order. */
  readonly parameters: Parameters;
  readonly weights: Float32Array;
  /** Sum over the micro-batches accumulated since `zeroGradients`, in the order of the weights. */
  readonly gradients: Float32Array;
  zeroGradients(): void;
  /**
   * Forward and backward of one micro-batch; adds `scale` times its gradient to `gradients`. `mask` is [items, frames], 1
   * where masked. `dropoutSeed` names the dropout stream: the same seed redraws the same dropout on any machine.
   */
  accumulate(batch: Batch, mask: Uint8Array, scale: number, dropoutSeed: number): Promise<StepLosses>;
  /** No mask, no dropout, no gradient. */
  validate(batch: Batch): Promise<StepLosses>;
  /** Frames of a batch, padding included, and those of each item without it. */
  framesOf(batch: Pick<Batch, "samples" | "paddedSamples">): {
    readonly frames: number;
    readonly valid: readonly number[];
  };
  dispose(): Promise<void>;
}

/** What the student's graph is traced from. */
export interface StudentOptions {
  readonly loss: LossOptions;
  readonly dropout: DropoutRates;
  readonly layerGradientScale: boolean;
}

export interface StepOptions extends StudentOptions {
  readonly runtime: Runtime;
  readonly teacher: ModelWeights;
  readonly student: ModelWeights;
  /** Teacher layer that each student head learns, in `headLayers` order; default: the same depth, in proportion. */
  readonly teacherLayers?: readonly number[] | null;
}

/** Memory of the process above which sessions are made anew. */
const RECYCLE_ABOVE_BYTES = Math.min(4 * 2 ** 30, memoryLimit().bytes / 2);

/**
 * The teacher's graph: `target.<k>` [batch, time, dim] for each of its `layers`, masked frames from the full pass, unmasked
 * frames from the masked one (arXiv:2305.11685 section 3.2).
 */
export function targetGraph(teacher: ModelConfig, layers: readonly number[], variant: StepVariant): Graph {
  const { full, masked, mask } = teacherPasses(teacher, variant);
  const outputs = layers.map((layer, k): [string, Value] => {
    const [seen, hidden] = [full.layers[layer], masked?.layers[layer]];
    return [`target.${k}`, hidden && mask ? g.add(hidden, g.mul(mask, g.sub(seen, hidden))) : seen];
  });
  return { name: "teacher-targets", outputs: new Map(outputs) };
}

/**
 * The student's forward pass, its loss and, in training, `gradient.<parameter>` of `total * lossScale`. Inputs beside
 * parameters: wave, target.<k>, mask, validFrames (padded), lossScale, dropout masks.
 */
export function studentGraph(config: ModelConfig, options: StudentOptions, variant: StepVariant) {
  const { training, padded, keysInProduct } = variant;
  const { values, lookup } = parameterInputs(config);
  const frames = outputFrames(config);
  const sites: DropoutSite[] = [];
  const dropout = training ? fedDropout(sites) : noDropout;
  const forward = {
    dropout,
    rates: options.dropout,
    layerGradientScale: training && options.layerGradientScale,
    keysInProduct,
  };

  const features = extractFeatures(config, lookup, waveInput());
  const marks = { masked: training ? maskInput(frames) : null, valid: padded ? validInput(frames) : null };
  const dropped = dropout(features.projected, "input", options.dropout.input);
  const encoderInput = maskFeatures(lookup, dropped, marks);
  const encoded = encode(config, lookup, encoderInput, marks.valid, forward);

  const targets = encoded.heads.map((head, k) => input(`target.${k}`, head.shape));
  const outputs = distillationLoss(encoded.heads, targets, marks, options.loss);
  if (training) {
    const scaled = g.mul(outputs.get("total")!, input("lossScale", []));
    const names = [...values.keys()];
    for (const [i, gradient] of gradients(scaled, [...values.values()]).entries())
      outputs.set(`gradient.${names[i]}`, gradient);
  }
  return { graph: { name: training ? "student-step" : "student-validation", outputs }, sites, features, encoded };
}

/** Compiles on first use: one pair of sessions per variant (padded or not, training or validation), any lengths. */
export function createDistillStep(options: StepOptions): DistillStep {
  const { runtime, teacher, student } = options;
  const models = [teacher.config, student.config];
  const layers = targetLayers(student.config, teacher.config, options.teacherLayers);
  const specs = parameterSpecs(student.config);
  const weights = flatten(specs, student.parameters);
  const gradients = new GradientAccumulator(specs);
  const sessions = new SessionCache(runtime, () => looseMemory() >= RECYCLE_ABOVE_BYTES);
  const parameters = { teacher: Object.fromEntries(teacher.parameters), student: Object.fromEntries(weights.views) };

  /** The student's session for a batch, and what it is fed: weights, speech, mask, and the teacher's targets. */
  async function taught(batch: Batch, mask: Uint8Array | null) {
    const variant = { training: mask !== null, padded: isPadded(batch) };
    const compiled = await sessions.get(JSON.stringify(variant), async (compile) => {
      const { graph, sites } = studentGraph(student.config, options, variant);
      const targets = await compile(targetGraph(teacher.config, layers, variant));
      return { targets, student: await compile(graph), sites };
    });
    const masked: Feeds = mask
      ? { mask: { shape: [batch.samples.length, framesOf(student.config, batch).frames], data: mask } }
      : {};
    const { wave, paddedSamples, samples } = batch;
    const isNormalized = models.some(({ normalizeWaveform }) => normalizeWaveform);
    const normal = isNormalized ? { ...batch, wave: normalizeWaveforms(wave, paddedSamples, samples) } : batch;
    const speech = (config: ModelConfig) => ({
      ...waveFeeds(config, config.normalizeWaveform ? normal : batch),
      ...masked,
    });
    const targets = await compiled.targets.run({ ...parameters.teacher, ...speech(teacher.config) });
    return { ...compiled, feeds: { ...parameters.student, ...speech(student.config), ...targets } };
  }

  return {
    parameters: weights.views,
    weights: weights.flat,
    gradients: gradients.flat,
    zeroGradients: () => gradients.reset(),
    framesOf: (batch) => framesOf(student.config, batch),
    async accumulate(batch, mask, scale, dropoutSeed) {
      const { student, sites, feeds } = await taught(batch, mask);
      const sizes = { batch: batch.samples.length, samples: batch.paddedSamples };
      const lossScale: Feed = { shape: [], data: Float32Array.of(scale) };
      const fed = { ...feeds, ...drawDropoutMasks(sites, sizes, dropoutSeed), lossScale };
      const losses = lossesOf(await gradients.add((into) => student.run(fed, into)));
      await sessions.used();
      return losses;
    },
    async validate(batch) {
      const { student, feeds } = await taught(batch, null);
      return lossesOf(await student.run(feeds));
    },
    dispose: () => sessions.release(),
  };
}
