// A comparison of trainings as rows of text, for a terminal and for the page alike.
import { formatCount, formatDuration, formatHours, formatNumber, printable } from "../../log/format.ts";
import type { TextTable } from "../comparison/tables.ts";
import { cut, formatParameters } from "../results/words.ts";
import type { ComparedPart, ComparedTraining, Start, TrainingComparison } from "./training.types.ts";

const MAX_NAME = 60;
const MAX_VALUE = 60;
const MAX_INCOMPARABLE = 8;

const orDash = <T>(value: T | null, format: (value: T) => string): string => (value === null ? "—" : format(value));
const number = (value: number | null) => orDash(value, formatNumber);

/** `0.6126 at step 1,600`. */
const atStep = (place: { readonly step: number; readonly loss: number } | null) =>
  orDash(place, ({ step, loss }) => `${formatNumber(loss)} at ${formatCount(step)}`);

export const FIGURES: readonly string[] = [
  "parameters",
  "MACs",
  "audio",
  "step",
  "training loss",
  "first validation",
  "best validation",
  "last validation",
  "time",
  "rate",
];

/** In the order of `FIGURES`. */
export const trainingFigures = (run: ComparedTraining): string[] => [
  formatParameters(run.parameters),
  orDash(run.macs, (macs) => `${(macs / 1e9).toFixed(2)} G`),
  orDash(run.audioSeconds, formatHours),
  run.totalSteps === null || run.step >= run.totalSteps
    ? formatCount(run.step)
    : `${formatCount(run.step)} of ${formatCount(run.totalSteps)}`,
  number(run.training.last?.loss ?? null),
  number(run.validation.first?.loss ?? null),
  atStep(run.validation.best),
  number(run.validation.last?.loss ?? null),
  formatDuration(run.seconds),
  orDash(run.rate, (rate) => `${formatNumber(rate)}×`),
];

/** Why losses must not be held against each other; undefined where they may be. */
export function warning({ incomparable }: TrainingComparison): string | undefined {
  if (incomparable.length === 0) return undefined;
  const more = incomparable.length - MAX_INCOMPARABLE;
  const names = incomparable.slice(0, MAX_INCOMPARABLE).join(", ");
  return `The losses of these runs do not mean the same, because the runs differ in ${names}${more > 0 ? ` and ${more} more` : ""}: compare the models by what they are for (stillwave superb), not by their losses.`;
}

/** `begun 2026-11-26 22:08 UTC`, `resumed 2026-11-27 08:01 UTC at step 500`. */
export const startInWords = ({ at, step }: Start, i: number): string =>
  `${i === 0 ? "begun" : "resumed"} ${at.slice(0, 16).replace("T", " ")} UTC${i > 0 && step !== undefined ? ` at step ${formatCount(step)}` : ""}`;

/** Losses of every run in rows by name: training, and after a stroke validation. */
export function objectiveRows({ runs }: ComparedPart): string[][] {
  const names = [...new Set(runs.flatMap(({ objectives }) => objectives.map(({ name }) => name)))];
  return names.map((name) => [
    name,
    ...runs.map(({ objectives }) => {
      const own = objectives.find((one) => one.name === name);
      return own ? `${number(own.training)} / ${number(own.validation)}` : "—";
    }),
  ]);
}

const clean = (text: string, limit = MAX_NAME) => printable(cut(text, limit));

export function trainingTables(comparison: TrainingComparison): TextTable[] {
  const { parts, differences } = comparison;
  const labels = [...new Set(parts.flatMap(({ runs }) => runs.map(({ label }) => label)))];
  const remark = warning(comparison);
  const tables = parts.flatMap((part): TextTable[] => {
    const objectives = objectiveRows(part);
    return [
      {
        title: `${part.title}: losses with their steps, multiply-accumulates for 10 s of audio, time of all starts, seconds of audio per second`,
        head: ["run", ...FIGURES],
        rows: part.runs.map((run) => [clean(run.label), ...trainingFigures(run)]),
        notes: part.runs
          .filter(({ starts }) => starts.length > 1)
          .map(({ label, starts }) => `${clean(label)}: ${starts.map(startInWords).join(", ")}.`),
      },
      ...(objectives.length > 0
        ? [
            {
              title: `${part.title}: last losses by name, in training / in validation`,
              head: ["loss", ...part.runs.map(({ label }) => clean(label))],
              rows: objectives.map((row) => row.map((cell) => clean(cell))),
              notes: [],
            },
          ]
        : []),
    ];
  });
  const settings: TextTable = {
    title:
      differences.length > 0
        ? "Settings in which the runs differ"
        : "The runs have the same settings, data, versions and machine",
    head: ["setting", ...labels.map((label) => clean(label))],
    rows: differences.map(({ name, values }) => [
      clean(name),
      ...values.map((value) => clean(value ?? "—", MAX_VALUE)),
    ]),
    notes: remark === undefined ? [] : [printable(remark)],
  };
  return [...tables, settings];
}
