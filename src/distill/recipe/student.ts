// The student of a recipe as a model config.
import { StillwaveError } from "../../errors.ts";
import { checkModelConfig, type ModelConfig } from "../../models/config.ts";
import type { StudentRecipe } from "./schema.ts";

/** What is chosen of a student; pruned ones are no students of ours. */
export type StudentFields = Omit<
  ModelConfig,
  "family" | "layerNormEps" | "relativePosition" | "frameRule" | "layerShapes" | "channelScale"
>;

/** A student's config: what is chosen, and what is the same in all of them. */
export function studentModel(chosen: StudentFields): ModelConfig {
  return {
    family: "student",
    conv: chosen.conv,
    convNorm: chosen.convNorm,
    convBias: chosen.convBias,
    featureProjection: chosen.featureProjection,
    dim: chosen.dim,
    layers: chosen.layers,
    heads: chosen.heads,
    ffnDim: chosen.ffnDim,
    posConv: { kernel: chosen.posConv.kernel, groups: chosen.posConv.groups },
    normFirst: chosen.normFirst,
    normalizeWaveform: chosen.normalizeWaveform,
    layerNormEps: 1e-5,
    relativePosition: null,
    attentionFrom: chosen.attentionFrom,
    reuse: chosen.reuse,
    frameRule: "conv",
    headDim: chosen.headDim,
    headLayers: chosen.headLayers,
  };
}

/** The student of a recipe: heads as wide as `headDim` says or else as the teacher, whose waveforms it takes. */
export function studentShape(
  student: StudentRecipe,
  { dim, normalizeWaveform }: Pick<ModelConfig, "dim" | "normalizeWaveform">,
): ModelConfig {
  const conv = student.conv.map(([channels, kernel, stride]) => ({ channels, kernel, stride }));
  const headDim = student.headLayers.length > 0 ? (student.headDim ?? dim) : null;
  return studentModel({ ...student, conv, normalizeWaveform, headDim });
}

/**
 * The student that a recipe makes for this teacher.
 * @throws StillwaveError where they do not fit together
 */
export function studentConfig({ student }: { readonly student: StudentRecipe }, teacher: ModelConfig): ModelConfig {
  const config = studentShape(student, teacher);
  checkModelConfig(config);
  checkTeacher(student, teacher);
  if (student.freezeConv) checkSameConv(config, teacher);
  return config;
}

/** @throws StillwaveError where the convolutions of both do not give the same features */
function checkSameConv(student: ModelConfig, teacher: ModelConfig): void {
  for (const field of ["conv", "convNorm", "convBias", "normalizeWaveform", "channelScale"] as const) {
    const [own, theirs] = [student, teacher].map((config) => JSON.stringify(config[field] ?? false));
    if (own !== theirs)
      throw new StillwaveError(
        `student.freezeConv: ${field} is ${own} in the student and ${theirs} in the teacher, whose convolutions it keeps; ` +
          "make them the same, or set student.freezeConv to false",
      );
  }
}

/**
 * Each head learns one layer of the teacher (arXiv:2305.11685 section 2.2).
 * @throws StillwaveError where heads and teacher do not fit together
 */
export function checkTeacher(
  { teacherLayers, headDim }: Pick<StudentRecipe, "teacherLayers" | "headDim">,
  teacher: Pick<ModelConfig, "layers" | "dim">,
): void {
  const beyond = teacherLayers?.find((layer) => layer >= teacher.layers);
  if (beyond !== undefined)
    throw new StillwaveError(
      `student.teacherLayers names layer ${beyond}, but the teacher has layers 0 to ${teacher.layers - 1}`,
    );
  if (headDim !== null && headDim !== teacher.dim)
    throw new StillwaveError(
      `student.headDim is ${headDim}, but heads are compared with the teacher's ${teacher.dim} dimensions; ` +
        `set student.headDim to null or ${teacher.dim} (in the library: initStudent({ teacher, ... }))`,
    );
}
