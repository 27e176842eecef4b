// The objectives of a recipe, for the models that it names.
import { UsageError } from "../../errors.ts";
import type { ModelConfig } from "../../models/config.ts";
import type { ObjectiveSettings } from "../recipe/objectives.ts";
import { cosineObjective, type Prediction } from "./cosine.ts";
import { gramObjective } from "./gram.ts";
import { type LayersOptions, layersObjective } from "./layers.ts";
import type { Objective, TeacherStates } from "./objective.ts";
import { checkFrames, layerPairs, studentGroups, targetLayers } from "./target-layers.ts";
import { unitsObjective } from "./units.ts";

/** What a recipe says of layers and heads. */
interface LayerRecipe {
  readonly loss: LayersOptions;
  readonly student: { readonly teacherLayers: readonly number[] | null };
}

interface ObjectivesRecipe extends LayerRecipe {
  readonly objectives: readonly ObjectiveSettings[] | null;
}

interface Models {
  readonly teachers: readonly ModelConfig[];
  readonly student: ModelConfig;
}

type Kind = ObjectiveSettings["kind"];
type Settings<K extends Kind> = Extract<ObjectiveSettings, { kind: K }>;

/** What all that compare with a teacher say of its states. */
function compared({ teacher: number, pass }: Pick<Settings<"cosine">, "teacher" | "pass">, { teachers }: Models) {
  const config = teachers[number - 1];
  if (!config) throw new UsageError(`objectives: teacher ${number} of ${teachers.length}`);
  return { config, from: { teacher: number - 1, pass, dim: config.dim } satisfies Omit<TeacherStates, "layers"> };
}

/** What makes the objective of each kind. */
const makers: { readonly [K in Kind]: (settings: Settings<K>, models: Models, recipe: LayerRecipe) => Objective } = {
  layers({ weight }, { teachers: [teacher], student }, { loss, student: { teacherLayers } }) {
    const layers = targetLayers(student, teacher, teacherLayers);
    const targets = layers.map((layer) => ({ teacher: 0, layers: [layer], pass: "mixed" as const, dim: teacher.dim }));
    return layersObjective(loss, targets, weight);
  },
  cosine({ name, ...settings }, models) {
    const { config, from } = compared(settings, models);
    const predictions = layerPairs(settings, models.student, config).map(
      ({ student, teacher }): Prediction => ({ from: [student], states: { ...from, layers: [teacher] } }),
    );
    return cosineObjective({ ...settings, name: name ?? "cosine", dim: models.student.dim, predictions });
  },
  gram({ name, ...settings }, models) {
    const { config, from } = compared(settings, models);
    const layers = layerPairs(settings, models.student, config);
    if (settings.intraWeight > 0 && layers.some(({ student, teacher }) => student < 0 || teacher < 0))
      throw new UsageError("objectives: gram: what layer 0 reads (-1) is no layer's output; set intraWeight to 0");
    return gramObjective({ ...settings, name: name ?? "gram", layers, from });
  },
  groups({ name, ...settings }, models) {
    const { config, from } = compared(settings, models);
    const own = settings.studentGroups ?? studentGroups(settings.groups, models.student, config);
    const predictions = settings.groups.map((layers, k): Prediction => ({ from: own[k], states: { ...from, layers } }));
    return cosineObjective({ ...settings, name: name ?? "groups", dim: models.student.dim, predictions });
  },
  units({ name, ...settings }, models) {
    unitLayer(settings, models.teachers);
    return unitsObjective({ ...settings, name: name ?? "units", dim: models.student.dim });
  },
};

/**
 * Which layer of which teacher has the units that a student guesses.
 * @throws UsageError where there is none
 */
export function unitLayer(
  { teacher: number, layer }: Pick<Settings<"units">, "teacher" | "layer">,
  teachers: Models["teachers"],
) {
  const teacher = teachers[number - 1];
  if (!teacher) throw new UsageError(`objectives: teacher ${number} of ${teachers.length}`);
  const own = layer ?? Math.ceil(0.75 * teacher.layers) - 1;
  if (own >= teacher.layers)
    throw new UsageError(`objectives: units: the teacher has layers 0 to ${teacher.layers - 1}, not ${own}`);
  return { teacher: number - 1, layer: own };
}

/**
 * What a recipe's student learns by, in the order of its list; without one it is layer to layer.
 * @throws UsageError where models and objectives do not fit together
 */
export function makeObjectives(recipe: ObjectivesRecipe, models: Models): Objective[] {
  for (const teacher of models.teachers) checkFrames(models.student, teacher);
  const list = recipe.objectives ?? [{ kind: "layers", weight: 1 } as const];
  return list.map((settings) => {
    const make = makers[settings.kind] as (...of: [ObjectiveSettings, Models, LayerRecipe]) => Objective;
    return make(settings, models, recipe);
  });
}
