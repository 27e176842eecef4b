// The distillation step: teacher targets, student loss and gradients, on any runtime, for batches of any length.
import type { Batch } from "../data/batch.ts";
import { UsageError } from "../errors.ts";
import type { Parameters } from "../graph/array.ts";
import type { ModelConfig } from "../models/config.ts";
import { frameCount, validFrames } from "../models/config.ts";
import { flatten, flatZeros } from "../models/flat.ts";
import type { DropoutRates } from "../models/forward.ts";
import { parameterSpecs } from "../models/parameters.ts";
import { normalizeWaveforms } from "../models/waveform.ts";
import type { Feed, Feeds, Runtime } from "../runtime/runtime.ts";
import { drawDropoutMasks } from "../training/dropout-masks.ts";
import { StepSessions } from "./sessions.ts";
import type { LossOptions } from "./step.graph.ts";
import type { DistillStep, StepLosses } from "./step.types.ts";

export interface StepOptions {
  readonly runtime: Runtime;
  readonly teacher: { readonly config: ModelConfig; readonly parameters: Parameters };
  readonly student: { readonly config: ModelConfig; readonly parameters: Parameters };
  readonly loss: LossOptions;
  readonly dropout: DropoutRates;
  readonly layerGradientScale: boolean;
  /** Teacher layer that each student head learns, in `headLayers` order; default: the same depth, in proportion. */
  readonly teacherLayers?: readonly number[];
}

/** Teacher layer for each head: the same number where depths agree, else the same share of the depth. */
export function matchingLayers(student: ModelConfig, teacher: ModelConfig): number[] {
  return student.headLayers.map((layer) => Math.round(((layer + 1) * teacher.layers) / student.layers) - 1);
}

function checkPair(student: ModelConfig, teacher: ModelConfig, layers: readonly number[]): void {
  if (student.headDim === null || student.headLayers.length === 0)
    throw new UsageError("the student needs at least one head to learn from the teacher");
  if (student.headDim !== teacher.dim)
    throw new UsageError(`student heads are ${student.headDim} wide, the teacher's layers ${teacher.dim}`);
  const probe = 16000;
  const [a, b] = [frameCount(student.conv, probe), frameCount(teacher.conv, probe)];
  if (a !== b) throw new UsageError(`one second gives ${a} student frames but ${b} teacher frames: the strides differ`);
  for (const layer of layers)
    if (!(layer >= 0 && layer < teacher.layers))
      throw new UsageError(`teacherLayers: the teacher has layers 0..${teacher.layers - 1}, not ${layer}`);
}

const feedsOf = (parameters: Parameters): Record<string, Feed> => Object.fromEntries(parameters);

/** True frames of every item, an input of padded graphs. */
const frameCounts = (config: ModelConfig, { samples, paddedSamples }: Batch): Feed => ({
  shape: [samples.length],
  data: BigInt64Array.from(samples, (count) => BigInt(validFrames(config, count, paddedSamples))),
});

/** A step that says how long its two halves took, for benchmarks. */
export interface TimedStep extends DistillStep {
  /** Seconds of the last `accumulate`: the teacher's targets, and the student's forward and backward pass. */
  timings(): { readonly teacher: number; readonly student: number };
}

/** Compiles on first use: one session per variant (with and without padding, training and validation), any lengths. */
export async function createDistillStep(options: StepOptions): Promise<TimedStep> {
  const { runtime, teacher, student } = options;
  const layers = options.teacherLayers ?? matchingLayers(student.config, teacher.config);
  checkPair(student.config, teacher.config, layers);
  const specs = parameterSpecs(student.config);
  const weights = flatten(specs, student.parameters);
  const total = flatZeros(specs);
  const gradientNames = specs.map(({ name }) => `gradient.${name}`);
  const viewsInto = (views: Parameters) =>
    Object.fromEntries(specs.map(({ name }, i) => [gradientNames[i], views.get(name)!.data]));
  let micro: ReturnType<typeof flatZeros> | undefined;
  let empty = true;
  let timings = { teacher: 0, student: 0 };

  const graph = { ...options, targetDim: teacher.config.dim };
  const sessions = new StepSessions({ runtime, teacher: teacher.config, student: student.config, layers, graph });
  const teacherFeeds = feedsOf(teacher.parameters);
  const studentFeeds = feedsOf(weights.views);
  /** Targets of a batch, and what both graphs are fed. */
  async function prepare(batch: Batch, mask: Uint8Array | null) {
    const shape = [batch.samples.length, batch.paddedSamples];
    const padded = batch.samples.some((samples) => samples < batch.paddedSamples);
    const frames = frameCount(student.config.conv, batch.paddedSamples);
    const common: Record<string, Feed> = mask ? { mask: { shape: [shape[0], frames], data: mask } } : {};
    const wave: Feed = { shape, data: batch.wave };
    const normal: Feed | null =
      teacher.config.normalizeWaveform || student.config.normalizeWaveform
        ? { shape, data: normalizeWaveforms(batch.wave, batch.paddedSamples, batch.samples) }
        : null;
    const feedsFor = (config: ModelConfig): Record<string, Feed> => ({
      ...common,
      wave: (config.normalizeWaveform && normal) || wave,
      ...(padded && { validFrames: frameCounts(config, batch) }),
    });
    const run = await sessions.teacher({ masked: mask !== null, padded });
    const targets = await run.run({ ...teacherFeeds, ...feedsFor(teacher.config) });
    return { feeds: { ...studentFeeds, ...feedsFor(student.config), ...targets } as Feeds, padded };
  }

  return {
    parameters: weights.views,
    weights: weights.flat,
    gradients: total.flat,
    zeroGradients() {
      total.flat.fill(0);
      empty = true;
    },
    frames: (paddedSamples) => frameCount(student.config.conv, paddedSamples),
    async accumulate(batch, mask, scale, dropoutSeed) {
      const start = performance.now();
      const { feeds, padded } = await prepare(batch, mask);
      const targetsDone = performance.now();
      const { executable, sites } = await sessions.student({ training: true, padded });
      const masks = drawDropoutMasks(sites, { batch: batch.samples.length, samples: batch.paddedSamples }, dropoutSeed);
      const lossScale: Feed = { shape: [], data: Float32Array.of(scale) };
      // The first micro-batch writes its gradients where they are wanted; later ones are added.
      if (!empty) micro ??= flatZeros(specs);
      const target = empty ? total : micro!;
      const outputs = await executable.run({ ...feeds, ...masks, lossScale }, viewsInto(target.views));
      if (!empty) addInto(total.flat, micro!.flat);
      empty = false;
      timings = { teacher: (targetsDone - start) / 1000, student: (performance.now() - targetsDone) / 1000 };
      const result = losses(outputs);
      await sessions.stepDone();
      return result;
    },
    async validate(batch) {
      const { feeds, padded } = await prepare(batch, null);
      const { executable } = await sessions.student({ training: false, padded });
      return losses(await executable.run(feeds));
    },
    timings: () => timings,
    dispose: () => sessions.release(),
  };
}

function addInto(sum: Float32Array, addend: Float32Array): void {
  for (let i = 0; i < sum.length; i++) sum[i] = sum[i] + addend[i];
}

function losses(outputs: Record<string, { data: Float32Array }>): StepLosses {
  const masked = [...outputs.masked!.data];
  const unmasked = [...outputs.unmasked!.data];
  const sum = (values: number[]) => values.reduce((a, b) => a + b, 0);
  return {
    total: outputs.total!.data[0],
    hintMasked: sum(masked.slice(0, -1)),
    hintUnmasked: sum(unmasked.slice(0, -1)),
    lastMasked: masked.at(-1)!,
    lastUnmasked: unmasked.at(-1)!,
    perLayer: { masked, unmasked },
  };
}
