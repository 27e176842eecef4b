// The charts of a run's metrics: losses, heads, optimiser and speed.
import { formatNumber } from "../../log/format.ts";
import type { TrainRow, ValidationRow } from "../../log/metrics.types.ts";
import { chart, lineKey, smallChart } from "../kit/chart.ts";
import { scaleOf } from "../kit/draw.ts";
import { type ChartLine, type Point, type PreparedLine, prepareLine } from "../kit/line.ts";
import { type Content, html, type Markup } from "../kit/markup.ts";
import { fold, miniature } from "../kit/pieces.ts";
import { table } from "../kit/table.ts";
import type { RunMetrics } from "./summary.ts";

const MAX_SPARKLINES = 48;

type NumberField = { [K in keyof TrainRow]-?: TrainRow[K] extends number ? K : never }[keyof TrainRow];

const series = (rows: readonly TrainRow[], field: NumberField, scale = 1): Point[] =>
  rows.map((row) => ({ step: row.step, value: row[field] * scale }));

export function lossCharts({ train, validation }: RunMetrics): Markup {
  const pair = (title: string, masked: NumberField, unmasked: NumberField) =>
    chart({
      title,
      value: "loss",
      lines: [
        { label: "masked", points: series(train, masked), tone: "accent", smoothed: true },
        { label: "unmasked", points: series(train, unmasked), tone: "soft", smoothed: true },
      ],
    });
  const total: ChartLine = { label: "training loss", points: series(train, "loss"), tone: "accent", smoothed: true };
  const points = validation.map(({ step, loss }) => ({ step, value: loss }));
  const validated = chart({
    title: "Validation loss",
    value: "loss",
    lines: [{ label: "validation loss", points, tone: "accent" }],
    dots: true,
  });
  const ofLayers = hasHeads({ train, validation });
  return html`${chart({ title: "Training loss", value: "loss", lines: [total], size: "full" })}
    <div class="grid">
      ${ofLayers && pair("Layers before the last", "hintMasked", "hintUnmasked")}
      ${ofLayers && pair("Last layer", "lastMasked", "lastUnmasked")}
      ${validated}
      ${ofLayers && validationByHead(validation)}
    </div>`;
}

/** Whether heads learn layers; a run that has logged nothing yet may be one of theirs. */
export const hasHeads = ({ train, validation }: RunMetrics): boolean =>
  (train.length === 0 && validation.length === 0) ||
  train.some((row) => row.perLayerMasked.length > 0) ||
  validation.some((row) => row.perLayer.length > 0);

/** One chart a term of the objectives that a recipe lists: its value, or the mean where it has several. */
export function termCharts({ train, validation }: RunMetrics): Markup | undefined {
  const rows = [...train, ...validation];
  const names = [...new Set(rows.flatMap(({ terms }) => Object.keys(terms ?? {})))];
  if (names.length === 0) return undefined;
  const points = (of: readonly (TrainRow | ValidationRow)[], name: string): Point[] =>
    of.map(({ step, terms }) => {
      const values = terms?.[name] ?? [];
      return { step, value: values.reduce((sum, value) => sum + value, 0) / values.length };
    });
  return html`<div class="grid">${names.map((name) =>
    chart({
      title: name,
      value: "value of the term",
      lines: [
        { label: "training", points: points(train, name), tone: "accent", smoothed: true },
        { label: "validation", points: points(validation, name), tone: "soft" },
      ],
    }),
  )}</div>`;
}

/** Validation loss along the heads, first and last validation. */
function validationByHead(validation: readonly ValidationRow[]): Markup {
  const line = (row: ValidationRow, label: string, tone: ChartLine["tone"]): ChartLine => ({
    label: `${label} (step ${row.step})`,
    points: row.perLayer.map((value, head) => ({ step: head, value })),
    tone,
  });
  const [first, last] = [validation[0], validation.at(-1)];
  const lines = last ? [line(last, "after", "accent")] : [];
  if (first && first !== last) lines.push(line(first, "before", "soft"));
  return chart({ title: "Validation loss of each head", value: "loss", across: "head", lines, dots: true });
}

/** One small chart a head, all with the same axes, so that heights compare. */
export function headCharts({ train }: RunMetrics): Content {
  const heads = train.reduce((most, row) => Math.max(most, row.perLayerMasked.length, row.perLayerUnmasked.length), 0);
  if (heads === 0) return html`<p class="empty">No values yet.</p>`;
  const line = (label: string, tone: ChartLine["tone"], field: "perLayerMasked" | "perLayerUnmasked", head: number) => {
    const points = train.map((row) => ({ step: row.step, value: row[field][head] ?? Number.NaN }));
    return prepareLine({ label, points, tone, smoothed: true });
  };
  const lines = Array.from({ length: Math.min(heads, MAX_SPARKLINES) }, (_, head) => [
    line("masked frames", "accent", "perLayerMasked", head),
    line("unmasked frames", "soft", "perLayerUnmasked", head),
  ]);
  const scale = scaleOf(lines.flat(), 3);
  const last = ({ ends }: PreparedLine) => ends && formatNumber(ends[1].value);
  return [
    lineKey(lines[0]),
    html`<div class="sparks">${lines.map((pair, head) =>
      miniature(
        `Head ${head}`,
        last(pair[0]),
        smallChart({ title: `Loss of head ${head}`, value: "loss", lines: pair, scale, empty: "No values yet." }),
      ),
    )}</div>`,
    html`<p class="note">All on the same axes; the number is the last value on masked frames.${
      heads > lines.length && ` ${heads - lines.length} more heads are not shown.`
    }</p>`,
    fold(
      "Numbers",
      table({
        caption: "Last loss of each head",
        columns: ["head", "masked frames", "unmasked frames"],
        rows: lines.map((pair, head) => [head, ...pair.map(last)]),
      }),
    ),
  ];
}

export function optimiserCharts({ train }: RunMetrics): Markup {
  const single = (title: string, value: string, points: Point[], smoothed = true) =>
    chart({ title, value, lines: [{ label: title.toLowerCase(), points, tone: "accent", smoothed }] });
  return html`<div class="grid">
    ${single("Learning rate", "learning rate", series(train, "learningRate"), false)}
    ${single("Gradient norm", "norm of the gradient", series(train, "gradientNorm"))}
    ${single("Time of a step", "time (s)", series(train, "stepSeconds"))}
    ${single("Throughput", "audio per time (s/s)", series(train, "audioSecondsPerSecond"))}
    ${single("Memory", "resident memory (GB)", series(train, "rssBytes", 1e-9), false)}
    ${single("Masked frames", "share of frames (%)", series(train, "maskedFraction", 100))}
    ${single("Padding", "share of samples (%)", series(train, "paddedFraction", 100))}
    ${single("Waiting for speech", "share of the time (%)", series(train, "waitShare", 100))}
  </div>`;
}
