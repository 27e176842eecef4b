// A student for a teacher: as deep, narrower, in the proportions of ARMHuBERT-S (arXiv:2305.11685 table 1).

import { studentModel } from "../../distill/recipe/student.ts";
import { type ModelConfig, noReuse, reuseEvery } from "../../models/config.ts";
import { profile } from "../../models/profile.ts";

export interface ChosenStudent {
  readonly layers: number;
  readonly dim: number;
  readonly ffnDim: number;
  readonly heads: number;
  readonly groups: number;
  readonly kernel: number;
  /** The teacher's convolutions are small enough to be copied; else the recipe's narrower ones. */
  readonly copiesConv: boolean;
  readonly config: ModelConfig;
}

/** ffnDim / dim of ARMHuBERT-S. */
const FFN_RATIO = 816 / 432;
/** Channels above which a student gets narrower convolutions than its teacher. */
const MOST_COPIED_CHANNELS = 256;
const MOST_GROUPS = 16;
const NARROW_CONV: readonly (readonly [channels: number | "dim", kernel: number, stride: number])[] = [
  ...([
    [128, 10, 5],
    [256, 1, 1],
  ] as const),
  ...([
    [256, 3, 2],
    [256, 3, 2],
    [256, 3, 2],
    [256, 3, 2],
  ] as const),
  ...([
    ["dim", 1, 1],
    ["dim", 2, 2],
    ["dim", 2, 2],
  ] as const),
];

/** The widest student whose parameters are at most `share` of the teacher's; the narrowest there is where none is. */
export function chooseStudent(teacher: ModelConfig, share: number): ChosenStudent {
  const most = share * profile(teacher).parameters.withoutHeads;
  const step = leastCommonMultiple(teacher.heads, MOST_GROUPS);
  const widths = Array.from({ length: Math.ceil(teacher.dim / step) }, (_, i) => (i + 1) * step);
  const students = widths.map((dim) => studentOf(teacher, dim));
  return students.findLast(({ config }) => profile(config).parameters.withoutHeads <= most) ?? students[0];
}

function studentOf(teacher: ModelConfig, dim: number): ChosenStudent {
  const { layers, heads } = teacher;
  const ffnDim = Math.round((dim * FFN_RATIO) / 8) * 8;
  const copiesConv = Math.max(...teacher.conv.map(({ channels }) => channels)) <= MOST_COPIED_CHANNELS;
  const conv = copiesConv
    ? teacher.conv
    : NARROW_CONV.map(([channels, kernel, stride]) => ({
        channels: channels === "dim" ? dim : channels,
        kernel,
        stride,
      }));
  const { kernel } = teacher.posConv;
  const config = studentModel({
    conv,
    convNorm: copiesConv ? teacher.convNorm : "group",
    convBias: copiesConv && teacher.convBias,
    featureProjection: conv[conv.length - 1].channels !== dim,
    dim,
    layers,
    heads,
    ffnDim,
    posConv: { kernel, groups: MOST_GROUPS },
    normFirst: false,
    normalizeWaveform: teacher.normalizeWaveform,
    attentionFrom: layers > 1 ? reuseEvery(2, layers) : noReuse(layers),
    reuse: "exact",
    headDim: teacher.dim,
    headLayers: noReuse(layers),
  });
  return { layers, dim, ffnDim, heads, groups: MOST_GROUPS, kernel, copiesConv, config };
}

function leastCommonMultiple(a: number, b: number): number {
  let [x, y] = [a, b];
  while (y > 0) [x, y] = [y, x % y];
  return (a / x) * b;
}
