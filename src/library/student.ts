// Fresh students by a few numbers: what is not given is as published (arXiv:2305.11685).
import { studentModel } from "../distill/recipe/student.ts";
import { UsageError } from "../errors.ts";
import { type ConvLayer, checkModelConfig, type ModelConfig, noReuse, type ReuseSemantics } from "../models/config.ts";
import { initParameters } from "../models/init.ts";
import { createModel, type Model } from "../upstream/model.ts";
import { defaultRuntime } from "../upstream/node.ts";

export interface StudentOptions {
  readonly layers: number;
  readonly dim: number;
  readonly ffnDim: number;
  /** Default 12. */
  readonly heads?: number;
  /** Whose attention map each layer uses, e.g. `reuseEvery(2, 12)`; default: each its own. */
  readonly attentionFrom?: readonly number[];
  /** `exact` (default): as in the paper; `official`: as the released code computes it. */
  readonly reuse?: ReuseSemantics;
  /** Default: the published stack, its last layers `dim` wide. */
  readonly conv?: readonly ConvLayer[];
  readonly convNorm?: ModelConfig["convNorm"];
  readonly convBias?: boolean;
  /** Default: only where the last conv layer is not `dim` wide. */
  readonly featureProjection?: boolean;
  /** Default 128 frames in 16 groups. */
  readonly posConv?: ModelConfig["posConv"];
  /** true: pre-LN layers. */
  readonly normFirst?: boolean;
  /** Head width and waveform normalisation follow it; without one: 768 dims, no normalisation. */
  readonly teacher?: Pick<Model, "config" | "parameters">;
  readonly headDim?: number;
  /** Layers with a head; default all. */
  readonly headLayers?: readonly number[];
  /** Copy the teacher's first conv layers: all (true) or this many; shapes must agree. */
  readonly copyConv?: boolean | number;
  /** Of the initial weights. */
  readonly seed?: number;
}

/** Conv stack of the published students (docs/method.md section 2): 320 samples a frame, `dim` wide at its end. */
export function studentConv(dim: number): ConvLayer[] {
  const layer = (channels: number, kernel: number, stride: number): ConvLayer => ({ channels, kernel, stride });
  return [
    layer(128, 10, 5),
    layer(256, 1, 1),
    ...Array.from({ length: 4 }, () => layer(256, 3, 2)),
    layer(dim, 1, 1),
    layer(dim, 2, 2),
    layer(dim, 2, 2),
  ];
}

/**
 * A student ready to train. Equal options give equal weights.
 * @throws UsageError that names an inconsistent option
 */
export function initStudent(options: StudentOptions): Model & { readonly seed: number } {
  const { layers, dim, ffnDim, heads = 12, teacher, copyConv = false, seed = 0 } = options;
  const conv = options.conv ?? studentConv(dim);
  const config = studentModel({
    conv,
    convNorm: options.convNorm ?? "group",
    convBias: options.convBias ?? false,
    featureProjection: options.featureProjection ?? conv.at(-1)?.channels !== dim,
    dim,
    layers,
    heads,
    ffnDim,
    posConv: options.posConv ?? { kernel: 128, groups: 16 },
    normFirst: options.normFirst ?? false,
    normalizeWaveform: teacher?.config.normalizeWaveform ?? false,
    attentionFrom: options.attentionFrom ?? noReuse(layers),
    reuse: options.reuse ?? "exact",
    headDim: options.headDim ?? teacher?.config.dim ?? 768,
    headLayers: options.headLayers ?? noReuse(layers),
  });
  checkModelConfig(config);
  if (copyConv && !teacher) throw new UsageError("copyConv: give the teacher whose conv layers shall be copied");
  const copyConvFrom =
    teacher && copyConv
      ? { parameters: teacher.parameters, layers: copyConv === true ? undefined : copyConv }
      : undefined;
  const parameters = initParameters(config, { seed, copyConvFrom });
  return { ...createModel({ config, parameters }, defaultRuntime), seed };
}
