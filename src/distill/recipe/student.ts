// The student of a recipe as a model config.
import { StillwaveError } from "../../errors.ts";
import { checkModelConfig, type ModelConfig } from "../../models/config.ts";
import type { Recipe, StudentRecipe } from "./schema.ts";

/** The student without a teacher: heads as wide as `headDim` says, or as `teacherDim` where it says nothing. */
export function studentShape(student: StudentRecipe, teacherDim: number, normalizeWaveform: boolean): ModelConfig {
  return {
    family: "student",
    conv: student.conv.map(([channels, kernel, stride]) => ({ channels, kernel, stride })),
    convNorm: student.convNorm,
    convBias: student.convBias,
    featureProjection: student.featureProjection,
    dim: student.dim,
    layers: student.layers,
    heads: student.heads,
    ffnDim: student.ffnDim,
    posConv: { kernel: student.posConv.kernel, groups: student.posConv.groups },
    normFirst: student.normFirst,
    normalizeWaveform,
    layerNormEps: 1e-5,
    relativePosition: null,
    attentionFrom: student.attentionFrom,
    reuse: student.reuse,
    frameRule: "conv",
    headDim: student.headDim ?? teacherDim,
    headLayers: student.headLayers,
  };
}

/**
 * The student that a recipe makes for this teacher: head width and waveform normalisation follow the teacher.
 * @throws where heads and teacher do not fit together: each head learns one layer of the teacher (arXiv:2305.11685
 * section 2.2)
 */
export function studentConfig(recipe: Pick<Recipe, "student">, teacher: ModelConfig): ModelConfig {
  const { student } = recipe;
  const config = studentShape(student, teacher.dim, teacher.normalizeWaveform);
  checkModelConfig(config);
  const beyond = student.teacherLayers?.find((layer) => layer >= teacher.layers);
  if (beyond !== undefined)
    throw new StillwaveError(
      `student.teacherLayers names layer ${beyond}, but the teacher has layers 0 to ${teacher.layers - 1}`,
    );
  if (student.headDim !== null && student.headDim !== teacher.dim)
    throw new StillwaveError(
      `student.headDim is ${student.headDim}, but heads are compared with the teacher's ${teacher.dim} dimensions; ` +
        `set student.headDim to null or ${teacher.dim} (in the library: initStudent({ teacher, ... }))`,
    );
  return config;
}
