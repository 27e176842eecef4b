// The distillation step: teacher targets, student loss and gradients, on any runtime, for batches of any length.
import type { Batch } from "../data/batch.ts";
import { UsageError } from "../errors.ts";
import type { Parameters } from "../graph/array.ts";
import { evaluateShape } from "../graph/dim.ts";
import type { ModelConfig } from "../models/config.ts";
import { frameCount, validFrames } from "../models/config.ts";
import { flatten, flatZeros } from "../models/flat.ts";
import type { DropoutRates } from "../models/forward.ts";
import { parameterSpecs } from "../models/parameters.ts";
import { normalizeWaveforms } from "../models/waveform.ts";
import type { DropoutSite } from "../nn/scope.ts";
import { Random } from "../random.ts";
import type { Executable, Feed, Feeds, Runtime } from "../runtime/runtime.ts";
import { fillDropoutMask } from "./dropoutMasks.ts";
import type { LossOptions, StudentVariant } from "./step.graph.ts";
import { studentGraph } from "./step.graph.ts";
import type { DistillStep, StepLosses } from "./step.types.ts";
import type { TeacherVariant } from "./targets.ts";
import { teacherTargets } from "./targets.ts";

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
const counts = (values: readonly number[]): Feed => ({
  shape: [values.length],
  data: BigInt64Array.from(values, BigInt),
});

/** Memory of this process above which sessions are made anew: their arenas have grown with the lengths they met. */
const RECYCLE_ABOVE_BYTES = 4 * 2 ** 30;
/** Steps between that, at least, so that steps which need that much are not slowed by it. */
const RECYCLE_AFTER_STEPS = 16;

/** Builds a variant of a graph the first time it is needed. */
function lazily<V, R>(built: Map<string, Promise<unknown>>, build: (variant: V) => Promise<R>) {
  return (variant: V): Promise<R> => {
    const key = JSON.stringify(variant);
    const known = built.get(key) as Promise<R> | undefined;
    if (known) return known;
    const entry = build(variant);
    built.set(key, entry);
    return entry;
  };
}

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
    Object.fromEntries(specs.map(({ name }, i) => [gradientNames[i]!, views.get(name)!.data]));
  let micro: ReturnType<typeof flatZeros> | undefined;
  let empty = true;
  let timings = { teacher: 0, student: 0 };

  const executables: Executable[] = [];
  const [builtTeachers, builtStudents] = [new Map<string, Promise<unknown>>(), new Map<string, Promise<unknown>>()];
  let stepsOfSessions = 0;
  const release = async () => {
    await Promise.all(executables.splice(0).map((executable) => executable.dispose()));
    for (const built of [builtTeachers, builtStudents]) built.clear();
  };
  /** Frees arenas that have grown; numbers do not depend on it. */
  const recycle = async () => {
    if (++stepsOfSessions < RECYCLE_AFTER_STEPS || process.memoryUsage.rss() < RECYCLE_ABOVE_BYTES) return;
    stepsOfSessions = 0;
    await release();
  };
  const keep = async (compiled: Promise<Executable>) => {
    executables.push(await compiled);
    return compiled;
  };
  const teacherFeeds = feedsOf(teacher.parameters);
  const studentFeeds = feedsOf(weights.views);
  const teacherRun = lazily(builtTeachers, (variant: TeacherVariant) =>
    keep(runtime.compile(teacherTargets(teacher.config, layers, variant))),
  );
  const studentRun = lazily(builtStudents, async (variant: StudentVariant) => {
    const { graph, sites } = studentGraph(student.config, { ...options, targetDim: teacher.config.dim }, variant);
    return { executable: await keep(runtime.compile(graph)), sites };
  });

  /** Targets of a batch, and what both graphs are fed. */
  async function prepare(batch: Batch, mask: Uint8Array | null) {
    const shape = [batch.samples.length, batch.paddedSamples];
    const padded = batch.samples.some((samples) => samples < batch.paddedSamples);
    const frames = frameCount(student.config.conv, batch.paddedSamples);
    const common: Record<string, Feed> = mask ? { mask: { shape: [shape[0]!, frames], data: mask } } : {};
    const wave: Feed = { shape, data: batch.wave };
    const validOf = (config: ModelConfig) =>
      counts(batch.samples.map((samples) => validFrames(config, samples, batch.paddedSamples)));
    const teacherWave = teacher.config.normalizeWaveform
      ? { shape, data: normalizeWaveforms(batch.wave, batch.paddedSamples, batch.samples) }
      : wave;
    const run = await teacherRun({ masked: mask !== null, padded });
    const inputs = only({ ...common, wave: teacherWave, validFrames: validOf(teacher.config) }, padded);
    const targets = await run.run({ ...teacherFeeds, ...inputs });
    const studentWave = student.config.normalizeWaveform
      ? { shape, data: normalizeWaveforms(batch.wave, batch.paddedSamples, batch.samples) }
      : wave;
    const rest = only({ ...common, wave: studentWave, validFrames: validOf(student.config) }, padded);
    return { feeds: { ...studentFeeds, ...rest, ...targets } as Feeds, padded };
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
      const { executable, sites } = await studentRun({ training: true, padded });
      const masks = drawMasks(sites, batch, dropoutSeed);
      const lossScale: Feed = { shape: [], data: Float32Array.of(scale) };
      // The first micro-batch writes its gradients where they are wanted; later ones are added.
      if (!empty) micro ??= flatZeros(specs);
      const target = empty ? total : micro!;
      const outputs = await executable.run({ ...feeds, ...masks, lossScale }, viewsInto(target.views));
      if (!empty) addInto(total.flat, micro!.flat);
      empty = false;
      timings = { teacher: (targetsDone - start) / 1000, student: (performance.now() - targetsDone) / 1000 };
      const result = losses(outputs);
      await recycle();
      return result;
    },
    async validate(batch) {
      const { feeds, padded } = await prepare(batch, null);
      const { executable } = await studentRun({ training: false, padded });
      return losses(await executable.run(feeds));
    },
    timings: () => timings,
    dispose: release,
  };
}

/** Frame counts are an input of padded graphs only. */
function only(feeds: Record<string, Feed>, padded: boolean): Record<string, Feed> {
  if (!padded) delete feeds.validFrames;
  return feeds;
}

function addInto(sum: Float32Array, addend: Float32Array): void {
  for (let i = 0; i < sum.length; i++) sum[i] = sum[i]! + addend[i]!;
}

/** One mask per dropout place, each from its own stream of the seed. */
function drawMasks(sites: readonly DropoutSite[], batch: Batch, seed: number): Record<string, Feed> {
  const sizes = new Map([
    ["batch", batch.samples.length],
    ["samples", batch.paddedSamples],
  ]);
  return Object.fromEntries(
    sites.map(({ name, shape, rate }) => {
      const dims = evaluateShape(shape, sizes);
      const data = new Uint8Array(dims.reduce((a, b) => a * b, 1));
      fillDropoutMask(data, rate, new Random(seed, name));
      return [name, { shape: dims, data }];
    }),
  );
}

function losses(outputs: Record<string, { data: Float32Array }>): StepLosses {
  const masked = [...outputs.masked!.data];
  const unmasked = [...outputs.unmasked!.data];
  const sum = (values: number[]) => values.reduce((a, b) => a + b, 0);
  return {
    total: outputs.total!.data[0]!,
    hintMasked: sum(masked.slice(0, -1)),
    hintUnmasked: sum(unmasked.slice(0, -1)),
    lastMasked: masked.at(-1)!,
    lastUnmasked: unmasked.at(-1)!,
    perLayer: { masked, unmasked },
  };
}
