// Trainings side by side: sizes, losses, speed, starts; settings in which they differ, and whether their losses can be compared.
import { basename, resolve } from "node:path";
import type { MetricsRow } from "../../log/metrics.types.ts";
import { quantile } from "../kit/line.ts";
import type {
  ComparedTraining,
  FieldDifference,
  ObjectiveLoss,
  Training,
  TrainingComparison,
  TrainingPart,
} from "./training.types.ts";

type Row<Kind extends MetricsRow["kind"]> = Extract<MetricsRow, { kind: Kind }>;

/** Settings that say where a run lies and how it is watched: they differ, and mean nothing. */
const ASIDE: ReadonlySet<string> = new Set(["run.outDir"]);
/** Settings by which a loss means something else: what is learnt from, by what, and on what it is measured. */
const MEANING =
  /^(teacher weights|validation data|semantics|loss\.|objectives|masking\.|prediction\.|objective|task|iterations\.\d+\.(kMeans|features|clusters))/;

export const rowsOf = <Kind extends MetricsRow["kind"]>({ metrics }: TrainingPart, kind: Kind): Row<Kind>[] =>
  metrics.filter((row): row is Row<Kind> => row.kind === kind);

const mean = (values: readonly number[]): number | null =>
  values.length > 0 ? values.reduce((sum, value) => sum + value, 0) / values.length : null;

/** The losses that a row is made of, by name; several values of one name by their mean. */
export function lossesOf(row: MetricsRow | undefined): Map<string, number> {
  const terms = Object.entries(row?.terms ?? {}).map(([name, values]) => [name, mean(values)] as const);
  const layers =
    row?.kind === "train" && row.perLayerMasked.length > 0
      ? ([
          ["layers before the last, masked", row.hintMasked],
          ["layers before the last, unmasked", row.hintUnmasked],
          ["last layer, masked", row.lastMasked],
          ["last layer, unmasked", row.lastUnmasked],
        ] as const)
      : [];
  const heads = row?.kind === "validation" ? row.perLayer.map((value, head) => [`head ${head}`, value] as const) : [];
  return new Map([...terms, ...layers, ...heads].filter((entry): entry is [string, number] => entry[1] !== null));
}

function objectivesOf(part: TrainingPart): ObjectiveLoss[] {
  const [training, validation] = [rowsOf(part, "train").at(-1), rowsOf(part, "validation").at(-1)].map(lossesOf);
  const names = [...new Set([...training.keys(), ...validation.keys()])];
  return names.map((name) => ({
    name,
    training: training.get(name) ?? null,
    validation: validation.get(name) ?? null,
  }));
}

const atStep = (row: MetricsRow | undefined) => (row ? { step: row.step, loss: row.loss } : null);

function describe({ folder, parameters, macs, starts }: Training, part: TrainingPart, label: string): ComparedTraining {
  const [train, validation] = [rowsOf(part, "train"), rowsOf(part, "validation")];
  const finite = validation.filter(({ loss, step }) => Number.isFinite(loss) && step > 0);
  const best = finite.toSorted((a, b) => a.loss - b.loss || a.step - b.step)[0];
  const rate = quantile(
    train.map(({ audioSecondsPerSecond }) => audioSecondsPerSecond),
    0.5,
  );
  return {
    label,
    folder,
    parameters,
    macs,
    audioSeconds: part.audioSeconds,
    step: part.metrics.at(-1)?.step ?? 0,
    totalSteps: part.totalSteps,
    seconds: part.metrics.reduce((most, row) => Math.max(most, row.seconds), 0),
    rate: Number.isFinite(rate) ? rate : null,
    training: { first: atStep(train[0]), last: atStep(train.at(-1)) },
    validation: { first: atStep(validation[0]), best: atStep(best), last: atStep(validation.at(-1)) },
    objectives: objectivesOf(part),
    starts,
  };
}

/** Names of their own: of the folder, or all of its path where that is not enough. */
export function labelTrainings(runs: readonly Pick<Training, "folder">[]): string[] {
  const names = runs.map(({ folder }) => basename(resolve(folder)));
  return names.map((name, i) => (names.filter((other) => other === name).length > 1 ? runs[i].folder : name));
}

/** Every setting by its whole name; a list is one setting, unless it holds groups of them. */
function flatten(value: unknown, name = ""): [string, string][] {
  const isGroup = (one: unknown) => typeof one === "object" && one !== null;
  const parted = Array.isArray(value)
    ? value.length > 0 && value.every((one) => isGroup(one) && !Array.isArray(one))
    : isGroup(value);
  if (!parted) return [[name, typeof value === "string" ? value : JSON.stringify(value)]];
  return Object.entries(value as object).flatMap(([key, own]) => flatten(own, name ? `${name}.${key}` : key));
}

function settingsOf({ recipe, starts, parts, teacher }: Training): Map<string, string> {
  const [{ stillwave, onnxruntime, machine }] = starts;
  const { training, validation } = parts[0]?.fingerprints ?? { training: null, validation: null };
  const data = Object.entries({ "training data": training, "validation data": validation, "teacher weights": teacher });
  return new Map([
    // a setting that an earlier version did not have is one that is not made use of
    ...flatten(recipe).filter(([, value]) => value !== "null"),
    ...data.flatMap(([name, print]): [string, string][] => (print === null ? [] : [[name, print.slice(0, 16)]])),
    ["stillwave", stillwave],
    ["onnxruntime", onnxruntime],
    ["machine", machine],
  ]);
}

/** Settings that are not the same in all runs. */
function differencesOf(runs: readonly Training[]): FieldDifference[] {
  const settings = runs.map(settingsOf);
  const names = [...new Set(settings.flatMap((own) => [...own.keys()]))].filter((name) => !ASIDE.has(name));
  return names
    .map((name) => ({ name, values: settings.map((own) => own.get(name) ?? null) }))
    .filter(({ values }) => new Set(values).size > 1);
}

/** Compares runs of one kind; iterations of pre-trainings by their number. */
export function compareTrainings(runs: readonly Training[]): TrainingComparison {
  const labels = labelTrainings(runs);
  const titles = [...new Set(runs.flatMap(({ parts }) => parts.map(({ title }) => title)))].sort();
  const differences = differencesOf(runs);
  return {
    kind: runs[0].kind,
    parts: titles.map((title) => ({
      title,
      runs: runs.flatMap((run, i) => {
        const part = run.parts.find((one) => one.title === title);
        return part ? [describe(run, part, labels[i])] : [];
      }),
    })),
    differences,
    incomparable: differences.map(({ name }) => name).filter((name) => MEANING.test(name)),
  };
}
