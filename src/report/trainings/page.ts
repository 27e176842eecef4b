// The page of a comparison of trainings: their curves on the same axes, figures, settings in which they differ, starts.
import { plural } from "../../log/format.ts";
import type { MetricsRow } from "../../log/metrics.types.ts";
import { chart } from "../kit/chart.ts";
import { letterOf } from "../kit/draw.ts";
import { type ChartLine, TONES } from "../kit/line.ts";
import { type Content, html, type Markup } from "../kit/markup.ts";
import { writePage } from "../kit/page.ts";
import { facts, notices, notShown, type Section, section } from "../kit/pieces.ts";
import { table } from "../kit/table.ts";
import { capital, cut } from "../results/words.ts";
import { compareTrainings, labelTrainings, lossesOf, rowsOf } from "./compare.ts";
import { FIGURES, objectiveRows, startInWords, trainingFigures, warning } from "./tables.ts";
import type { ComparedPart, Training, TrainingComparison, TrainingPart } from "./training.types.ts";

const MAX_NAME = 80;
const MAX_SETTINGS = 200;
const MAX_TERMS = 24;

/** One run's part with the letter, the name and the tone that it has in the whole page. */
interface Shown {
  readonly name: string;
  readonly place: number;
  readonly part: TrainingPart;
}

/**
 * The page as one string, as self-contained and escaped as the report of one run.
 * @param comparison of the same runs, where it is at hand already
 */
export function writeTrainingComparison(
  runs: readonly Training[],
  comparison: TrainingComparison = compareTrainings(runs),
): string {
  const { parts, kind } = comparison;
  const names = labelTrainings(runs).map((label) => cut(label, MAX_NAME));
  const heading = plural(runs.length, `${kind} run`);
  const remark = warning(comparison);
  return writePage({
    title: `Comparison: ${heading}`,
    kind: "Stillwave comparison",
    heading,
    lead: names.map((name, i) => `${letterOf(i)} ${name}`).join(", "),
    summary: notices([remark]),
    sections: [
      ...parts.flatMap((part, i) => partSections(part, i, runs, names)),
      section("settings", "Settings", settings(comparison, names)),
      section("starts", "Starts", starts(runs, names)),
    ],
  });
}

function partSections(
  compared: ComparedPart,
  number: number,
  runs: readonly Training[],
  names: readonly string[],
): Section[] {
  const shown = runs.flatMap(({ parts }, place): Shown[] => {
    const part = parts.find(({ title }) => title === compared.title);
    return part ? [{ name: names[place], place, part }] : [];
  });
  const only = compared.title === "Training";
  const id = (name: string) => (number === 0 ? name : `${name}-${number + 1}`);
  const title = (name: string) => (only ? name : `${compared.title}: ${name.toLowerCase()}`);
  return [
    section(id("figures"), title("Figures"), figures(compared, shown)),
    section(id("curves"), title("Curves"), curves(compared.title, shown)),
    section(id("objectives"), title("Losses by name"), objectives(compared, shown)),
    section(id("speed"), title("Optimiser and speed"), speed(compared.title, shown)),
  ];
}

const lettered = ({ name, place }: Shown) => html`<b>${letterOf(place)}</b> ${name}`;

const figures = ({ runs }: ComparedPart, shown: readonly Shown[]): Content =>
  table({
    caption:
      "Best validation with its step; multiply-accumulates for 10 s of audio; time of all starts; rate in seconds of audio per second, median",
    className: "tight",
    columns: ["run", ...FIGURES],
    rows: runs.map((run, i) => [lettered(shown[i]), ...trainingFigures(run)]),
  });

function objectives(part: ComparedPart, shown: readonly Shown[]): Content {
  const rows = objectiveRows(part);
  if (rows.length === 0) return html`<p class="empty">No losses by name yet.</p>`;
  return table({
    caption: "As logged last: in training / in validation, not weighted",
    className: "named",
    columns: ["loss", ...shown.map((one) => ({ title: lettered(one), className: "wrap" }))],
    rows,
  });
}

/** A line a run, in its own tone; `value` picks what a row has of it. */
function lines<Row extends MetricsRow>(
  shown: readonly Shown[],
  rows: (part: TrainingPart) => readonly Row[],
  value: (row: Row) => number | undefined,
  { smoothed = false, step = (row: Row) => row.step } = {},
): ChartLine[] {
  return shown.map(({ name, place, part }) => ({
    label: name,
    letter: letterOf(place),
    tone: TONES[place % TONES.length],
    smoothed,
    points: rows(part).map((row) => ({ step: step(row), value: value(row) ?? Number.NaN })),
  }));
}

const train = (part: TrainingPart) => rowsOf(part, "train");
const validation = (part: TrainingPart) => rowsOf(part, "validation");

function curves(part: string, shown: readonly Shown[]): Content {
  const common = { letters: true, value: "loss" } as const;
  const hours = ({ seconds }: MetricsRow) => seconds / 3600;
  const names = (rows: (part: TrainingPart) => readonly MetricsRow[]) => [
    ...new Set(shown.flatMap((one) => rows(one.part).flatMap((row) => [...lossesOf(row).keys()]))),
  ];
  const terms = [
    ...names(train).map((name) => ["training", name] as const),
    ...names(validation).map((name) => ["validation", name] as const),
  ];
  const ofTerm = ([kind, name]: (typeof terms)[number]): Markup => {
    const of = (row: MetricsRow) => lossesOf(row).get(name);
    const own = kind === "training" ? lines(shown, train, of, { smoothed: true }) : lines(shown, validation, of);
    return chart({
      title: `${capital(name)}, ${kind}`,
      id: `${part} ${kind} ${name}`,
      value: "value",
      letters: true,
      lines: own,
    });
  };
  return [
    html`<p class="lead">Faint: as logged. Strong: moving average. Every run has its letter, its colour and its dashes.</p>`,
    chart({
      ...common,
      title: "Validation loss",
      id: `${part} validation`,
      size: "full",
      dots: true,
      lines: lines(shown, validation, ({ loss }) => loss),
    }),
    chart({
      ...common,
      title: "Training loss",
      id: `${part} training`,
      size: "full",
      lines: lines(shown, train, ({ loss }) => loss, { smoothed: true }),
    }),
    html`<div class="grid">${chart({
      ...common,
      title: "Validation loss by time",
      id: `${part} time`,
      across: "time of training (h)",
      lines: lines(shown, validation, ({ loss }) => loss, { step: hours }),
    })}${terms.slice(0, MAX_TERMS).map(ofTerm)}</div>`,
    notShown(terms.length - MAX_TERMS, "losses"),
  ];
}

function speed(part: string, shown: readonly Shown[]): Content {
  const single = (
    title: string,
    value: string,
    of: (row: ReturnType<typeof train>[number]) => number,
    smoothed = true,
  ) => chart({ title, id: `${part} ${title}`, value, letters: true, lines: lines(shown, train, of, { smoothed }) });
  return html`<div class="grid">
    ${single("Learning rate", "learning rate", ({ learningRate }) => learningRate, false)}
    ${single("Gradient norm", "norm of the gradient", ({ gradientNorm }) => gradientNorm)}
    ${single("Throughput", "audio per time (s/s)", ({ audioSecondsPerSecond }) => audioSecondsPerSecond)}
    ${single("Memory", "resident memory (GB)", ({ rssBytes }) => rssBytes / 1e9, false)}
  </div>`;
}

function settings({ differences }: TrainingComparison, names: readonly string[]): Content {
  if (differences.length === 0)
    return html`<p class="lead">The runs have the same settings, data, versions and machine.</p>`;
  return [
    html`<p class="lead">Only those that differ, of recipe, data, versions and machine.</p>`,
    table({
      className: "named",
      columns: [
        "setting",
        ...names.map((name, i) => ({ title: html`<b>${letterOf(i)}</b> ${name}`, className: "wrap" })),
      ],
      rows: differences
        .slice(0, MAX_SETTINGS)
        .map(({ name, values }) => [cut(name), ...values.map((value) => cut(value ?? "—", 300))]),
    }),
    notShown(differences.length - MAX_SETTINGS, "settings"),
  ];
}

const starts = (runs: readonly Training[], names: readonly string[]): Markup =>
  facts(
    runs.map(({ starts: own }, i) => [
      html`<b>${letterOf(i)}</b> ${names[i]}`,
      own.map(
        (start, at) =>
          html`<div>${startInWords(start, at)}, stillwave ${start.stillwave} with ONNX Runtime ${start.onnxruntime} on ${start.machine}</div>`,
      ),
    ]),
  );
