// Which layers of a teacher a student's layers learn.
import { UsageError } from "../../errors.ts";
import { frameCount, type ModelConfig, SAMPLE_RATE_HZ } from "../../models/config.ts";

/**
 * The teacher layer that each student head learns: the given ones, else the same number where depths agree, else the same
 * share of the depth.
 * @throws UsageError where student and teacher do not fit together
 */
export function targetLayers(
  student: ModelConfig,
  teacher: ModelConfig,
  given?: readonly number[] | null,
): readonly number[] {
  if (student.headDim === null || student.headLayers.length === 0)
    throw new UsageError("the student needs at least one head to learn from the teacher");
  if (student.headDim !== teacher.dim)
    throw new UsageError(`student heads are ${student.headDim} wide, the teacher's layers ${teacher.dim}`);
  checkFrames(student, teacher);
  const layers = given ?? student.headLayers.map((layer) => sameDepth(layer, student, teacher));
  for (const layer of layers)
    if (!(layer >= 0 && layer < teacher.layers))
      throw new UsageError(`teacherLayers: the teacher has layers 0..${teacher.layers - 1}, not ${layer}`);
  return layers;
}

/** The teacher's layer at the same share of the depth. */
export const sameDepth = (
  layer: number,
  student: Pick<ModelConfig, "layers">,
  teacher: Pick<ModelConfig, "layers">,
): number => Math.round(((layer + 1) * teacher.layers) / student.layers) - 1;

/** @throws UsageError where a frame of the one is no frame of the other */
export function checkFrames(student: ModelConfig, teacher: ModelConfig): void {
  const [a, b] = [student, teacher].map(({ conv }) => frameCount(conv, SAMPLE_RATE_HZ));
  if (a !== b) throw new UsageError(`one second gives ${a} student frames but ${b} teacher frames: the strides differ`);
}

interface ChosenLayers {
  /** How many, evenly spread; or which. null: those of the student's depths. */
  readonly teacherLayers: readonly number[] | number | null;
  /** null: the same share of the depth. */
  readonly studentLayers: readonly number[] | "last" | null;
}

interface LayerPair {
  readonly student: number;
  readonly teacher: number;
}

/** Layer floor(k layers / count) - 1 for k = 1 to count (USAD, arXiv:2506.18843 section II). */
const spread = (count: number, layers: number): number[] =>
  Array.from({ length: count }, (_, k) => Math.floor(((k + 1) * layers) / count) - 1);

/**
 * Which layer of the student learns which of the teacher.
 * @throws UsageError where lists do not fit each other or the teacher
 */
export function layerPairs(chosen: ChosenLayers, student: ModelConfig, teacher: ModelConfig): LayerPair[] {
  const { teacherLayers, studentLayers } = chosen;
  if (typeof teacherLayers === "number" && teacherLayers > Math.min(student.layers, teacher.layers))
    throw new UsageError(
      `objectives: ${teacherLayers} layers of a student of ${student.layers} and a teacher of ${teacher.layers}`,
    );
  const teachers =
    typeof teacherLayers === "number"
      ? spread(teacherLayers, teacher.layers)
      : (teacherLayers ??
        (Array.isArray(studentLayers) ? studentLayers : [...Array(student.layers).keys()]).map((layer) =>
          sameDepth(layer, student, teacher),
        ));
  checkLayers(teachers, teacher);
  if (Array.isArray(studentLayers) && studentLayers.length !== teachers.length)
    throw new UsageError(
      `objectives: studentLayers has ${studentLayers.length} layers, but ${teachers.length} of the teacher's shall be learnt`,
    );
  const own = (layer: number, k: number): number => {
    if (studentLayers === "last") return student.layers - 1;
    if (studentLayers) return studentLayers[k];
    if (typeof teacherLayers === "number") return spread(teacherLayers, student.layers)[k];
    return layer < 0 ? layer : Math.max(0, sameDepth(layer, teacher, student));
  };
  return teachers.map((layer, k) => ({ student: own(layer, k), teacher: layer }));
}

/**
 * For each group of the teacher's layers those of the student whose share of the depth is theirs, or else the nearest one.
 * @throws UsageError where a group names a layer that is none of the teacher's
 */
export function studentGroups(
  groups: readonly (readonly number[])[],
  student: ModelConfig,
  teacher: ModelConfig,
): number[][] {
  checkLayers(groups.flat(), teacher);
  const own = [...Array(student.layers).keys()];
  return groups.map((group) => {
    const same = own.filter((layer) => group.includes(sameDepth(layer, student, teacher)));
    if (same.length > 0) return same;
    return [Math.max(0, sameDepth(Math.max(...group), teacher, student))];
  });
}

function checkLayers(layers: readonly number[], teacher: ModelConfig): void {
  const beyond = layers.find((layer) => layer >= teacher.layers || layer < -1);
  if (beyond !== undefined)
    throw new UsageError(`objectives: the teacher has layers 0 to ${teacher.layers - 1}, not ${beyond}`);
}
