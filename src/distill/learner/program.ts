// The programs of a step on devices: teachers, student, losses, gradients, norm, clip and AdamW, with the state that stays there.
import { evaluateDim, evaluateShape } from "../../graph/dim.ts";
import type { ValueType } from "../../graph/type.ts";
import type { ModelConfig } from "../../models/config.ts";
import { outputFrames } from "../../models/trace.ts";
import { decayOf } from "../../optim/adamw.ts";
import { adamwUpdate, gradientNorm } from "../../stablehlo/adamw.ts";
import { ELEMENT_TYPE, type Emitter, type Tensor } from "../../stablehlo/emitter.ts";
import type { Precision } from "../../stablehlo/precision.ts";
import { type InputTensor, lowerGraph, type Program, ProgramWriter } from "../../stablehlo/program.ts";
import { keepMask } from "../../stablehlo/random.ts";
import { allTerms, TOTAL, termOutput } from "../losses.ts";
import { trainedSpecs } from "../objectives/parameters.ts";
import type { Recipe } from "../recipe/schema.ts";
import { type StudentOptions, studentGraph } from "../step.ts";
import { type StepVariant, targetGraph, targetsOf } from "../targets.ts";
import { LARGEST_NORM } from "./learner.ts";
import { nextScaling, scaleOf } from "./loss-scaling.ts";

export type OptimizerSettings = Pick<Recipe["optimizer"], "betas" | "eps" | "weightDecay" | "clipNorm">;

/** What all programs of a run have in common. */
export interface ProgramOptions extends StudentOptions {
  readonly teachers: readonly ModelConfig[];
  readonly student: ModelConfig;
  readonly optimizer: OptimizerSettings;
  readonly precision: Precision;
  /** Of the plugin. */
  readonly platform: string;
  /** Devices whose losses and gradients programs add up. */
  readonly replicas: number;
}

/** What one device gets of a batch. */
export interface ShardShape {
  readonly items: number;
  readonly samples: number;
  /** Waveforms come as 16 bits a sample. */
  readonly pcm: boolean;
}

/** Names of arguments beside parameters. Results of these names replace them. */
export const STATE = {
  teacher: (number: number, name: string) => `teacher.${number}.${name}`,
  weight: (name: string) => `weight.${name}`,
  m: (name: string) => `m.${name}`,
  v: (name: string) => `v.${name}`,
  gradient: (name: string) => `gradient.${name}`,
  halted: "halted",
  /** In fp16. */
  scaling: "scaling",
} as const;

/** A whole update of one micro-batch. */
export function updateProgram(options: ProgramOptions, batch: ShardShape): Program {
  const writer = new ProgramWriter("update", options.replicas);
  const { losses, gradients } = learn(writer, options, batch);
  writer.result("losses", losses);
  update(writer, options, gradients, losses);
  return writer.finish();
}

/** Whether the first of the losses is finite. */
const hasTotal = (emit: Emitter, losses: Tensor): Tensor =>
  emit.compare(emit.reshape(emit.slice(losses, 0, 0, 1), []), "LT", emit.scalar(Number.POSITIVE_INFINITY));

/** The gradient of one of several micro-batches, added to what is there. */
export function gradientProgram(options: ProgramOptions, batch: ShardShape): Program {
  const writer = new ProgramWriter("gradient", options.replicas);
  const { losses, gradients } = learn(writer, options, batch);
  writer.result("losses", losses);
  for (const [name, gradient] of gradients) {
    const key = STATE.gradient(name);
    writer.replace(key, writer.emit.add(writer.argument(key, gradient.shape, "f32"), gradient));
  }
  return writer.finish();
}

/** The update by the gradients that were added up, which are zero again after it. */
export function applyProgram(options: ProgramOptions): Program {
  const writer = new ProgramWriter("apply", options.replicas);
  const specs = trainedSpecs(options.student, options);
  const sums = specs.map(({ name, shape }) => [name, writer.argument(STATE.gradient(name), shape, "f32")] as const);
  update(writer, options, new Map(sums));
  for (const [name, sum] of sums) writer.replace(STATE.gradient(name), writer.emit.like(0, sum));
  return writer.finish();
}

/** The losses of a batch without dropout and gradient, and without a mask where no objective asks for one. */
export function validationProgram(options: ProgramOptions, batch: ShardShape): Program {
  const writer = new ProgramWriter("validation", options.replicas);
  const masked = options.objectives.some(({ validatesMasked }) => validatesMasked);
  const variant = { training: false, masked, padded: true, keysInProduct: false };
  const own = taught(writer, options, batch, variant);
  const { graph } = studentGraph(options.student, options, variant);
  writer.result("losses", sharedLosses(writer, options, lowered(writer, options, batch, graph, own)));
  return writer.finish();
}

/** Forward and backward pass: [total, values of all terms], and the gradients, summed over the devices. */
function learn(writer: ProgramWriter, options: ProgramOptions, batch: ShardShape) {
  const { emit } = writer;
  const { replicas } = options;
  const variant = { training: true, masked: true, padded: true, keysInProduct: false };
  const own = taught(writer, options, batch, variant);
  const { graph, sites } = studentGraph(options.student, options, variant);
  const key = writer.argument("dropoutKey", [2], "ui32");
  const firstRow = writer.argument("firstRow", [], "ui32");
  const keep = (name: string, shape: readonly number[]) => {
    const site = sites.findIndex((place) => place.name === name);
    return keepMask(emit, { key, firstRow }, site, { shape, rows: batch.items, rate: sites[site].rate });
  };
  const outputs = lowered(writer, options, batch, graph, { ...own, keep });
  const gradients = new Map<string, Tensor>();
  for (const { name } of trainedSpecs(options.student, options))
    gradients.set(name, emit.allReduce(emit.convert(outputs.get(`gradient.${name}`) as Tensor, "f32"), replicas));
  return { losses: sharedLosses(writer, options, outputs), gradients };
}

/** The teachers' passes, and with them the inputs of the student's graph. */
function taught(writer: ProgramWriter, options: ProgramOptions, batch: ShardShape, variant: StepVariant): GraphInputs {
  const inputs = speechInputs(writer, batch);
  const target = new Map<string, Tensor>();
  for (const [i, config] of options.teachers.entries()) {
    const graph = targetGraph(config, targetsOf(options, i), variant);
    const own = { ...inputs(config), parameter: (name: string) => STATE.teacher(i, name) };
    for (const [name, states] of lowered(writer, options, batch, graph, own)) target.set(name, states);
  }
  return { ...inputs(options.student), parameter: STATE.weight, target };
}

/** [total, values of all terms]: means over the whole batch, to which every device adds its part. */
function sharedLosses(
  { emit }: ProgramWriter,
  { replicas, objectives }: ProgramOptions,
  outputs: ReadonlyMap<string, Tensor>,
): Tensor {
  const terms = allTerms(objectives).map(({ key }) => outputs.get(termOutput(key)) as Tensor);
  const own = emit.concatenate([emit.reshape(outputs.get(TOTAL) as Tensor, [1]), ...terms], 0);
  return emit.allReduce(own, replicas);
}

/** Clip, AdamW, and the guard: an update that is not sound halts all that follow. */
function update(
  writer: ProgramWriter,
  options: ProgramOptions,
  raw: ReadonlyMap<string, Tensor>,
  losses?: Tensor,
): void {
  const { emit } = writer;
  const { clipNorm, betas, eps, weightDecay } = options.optimizer;
  const given = writer.argument("scale", [], "f32");
  const scaling = lossScaling(writer, options);
  const scale = scaling ? emit.binary("divide", given, scaleOf(emit, scaling)) : given;
  const gradients = [...raw].map(([name, gradient]) => [name, emit.multiply(gradient, scale)] as const);
  const norm = gradientNorm(
    emit,
    gradients.map(([, gradient]) => gradient),
  );
  const halted = writer.argument(STATE.halted, [], "f32");
  const hasNorm = emit.compare(norm, "LT", emit.scalar(LARGEST_NORM));
  const hasFinite = losses ? emit.binary("and", hasNorm, hasTotal(emit, losses)) : hasNorm;
  const isSound = emit.binary("and", hasFinite, emit.compare(halted, "EQ", emit.scalar(0)));
  const rate = writer.argument("rate", [], "f32");
  const factor = clipNorm === null ? undefined : clipFactor(emit, norm, clipNorm);
  for (const [name, gradient] of gradients) {
    const { shape } = gradient;
    const state = {
      weight: writer.argument(STATE.weight(name), shape, "f32"),
      m: writer.argument(STATE.m(name), shape, "f32"),
      v: writer.argument(STATE.v(name), shape, "f32"),
    };
    const clipped = factor ? emit.multiply(gradient, factor) : gradient;
    const rule = { betas, eps, weightDecay: decayOf(name, weightDecay) };
    const after = adamwUpdate(emit, state, clipped, { rate, isSound }, rule);
    writer.replace(STATE.weight(name), after.weight);
    writer.replace(STATE.m(name), after.m);
    writer.replace(STATE.v(name), after.v);
  }
  const next = scaling && nextScaling(emit, scaling, hasFinite);
  const [no, yes] = [emit.scalar(0), emit.scalar(1)];
  const halts = next ? emit.select(next.isLost, yes, halted) : emit.select(isSound, no, yes);
  writer.replace(STATE.halted, halts);
  writer.result("gradientNorm", norm);
  if (!next) return;
  writer.replace(STATE.scaling, next.scaling);
  writer.result("lossScaling", next.scaling);
}

/** f32 [3] on the devices, where the loss is scaled. */
const lossScaling = (writer: ProgramWriter, { precision }: ProgramOptions): Tensor | undefined =>
  precision === "fp16" ? writer.argument(STATE.scaling, [3], "f32") : undefined;

/** What the loss is multiplied by for its gradients: the share that is fed, and the scale of fp16. */
function lossScale(writer: ProgramWriter, options: ProgramOptions): Tensor {
  const share = writer.argument("lossScale", [], "f32");
  const scaling = lossScaling(writer, options);
  return scaling ? writer.emit.multiply(share, scaleOf(writer.emit, scaling)) : share;
}

const clipFactor = (emit: Emitter, norm: Tensor, clipNorm: number): Tensor =>
  emit.select(
    emit.compare(norm, "GT", emit.scalar(clipNorm)),
    emit.binary("divide", emit.scalar(clipNorm), norm),
    emit.scalar(1),
  );

/** Inputs of graphs that are arguments as they are. */
const FED = /^(mask|units|keptLayers|count\..+)$/;

/** What the inputs of a graph are in a program. */
interface GraphInputs {
  readonly wave: Tensor;
  readonly validFrames: Tensor;
  readonly parameter: (name: string) => string;
  readonly target?: ReadonlyMap<string, Tensor>;
  readonly keep?: (name: string, shape: readonly number[]) => Tensor;
}

/** Waveforms and frame counts as a model takes them. Models that agree share them. */
function speechInputs(writer: ProgramWriter, { items, samples, pcm }: ShardShape) {
  const waves = new Map<string, Tensor>();
  return ({ normalizeWaveform, frameRule }: ModelConfig) => {
    const name = normalizeWaveform ? "normalWave" : "wave";
    const fed = writer.argument(name, [items, samples], pcm && !normalizeWaveform ? "i16" : "f32");
    const wave =
      waves.get(name) ?? writer.emit.scale(writer.emit.convert(fed, "f32"), fed.type === "i16" ? 2 ** -15 : 1);
    waves.set(name, wave);
    return { wave, validFrames: writer.argument(`validFrames.${frameRule}`, [items], "i64") };
  };
}

function lowered(
  writer: ProgramWriter,
  options: ProgramOptions,
  { items, samples }: ShardShape,
  graph: Parameters<typeof lowerGraph>[0],
  inputs: GraphInputs,
): Map<string, Tensor> {
  const { precision, platform } = options;
  const given = new Map([
    ["batch", items],
    ["samples", samples],
  ]);
  const sizes = new Map([...given, ["frames", evaluateDim(outputFrames(options.student), given)]]);
  const inputTensor: InputTensor = (name, { shape: dims, dtype }: ValueType) => {
    const shape = evaluateShape(dims, sizes);
    if (name === "wave" || name === "validFrames") return inputs[name];
    if (name === "lossScale") return lossScale(writer, options);
    if (FED.test(name)) return writer.argument(name, shape, ELEMENT_TYPE[dtype]);
    if (name.startsWith("dropout.") && inputs.keep) return inputs.keep(name, shape);
    return inputs.target?.get(name) ?? writer.argument(inputs.parameter(name), shape, ELEMENT_TYPE[dtype]);
  };
  return lowerGraph(graph, { emit: writer.emit, sizes, precision, platform }, inputTensor);
}
