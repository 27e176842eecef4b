// What a run's metrics say: key numbers, and the charts of losses, optimiser and speed.

import { formatNumber } from "../../log/format.ts";
import type { MetricsRow, TrainRow, ValidationRow } from "../../log/metrics.types.ts";
import { chart, sparkline } from "../kit/chart.ts";
import { type ChartLine, type PreparedLine, prepareLine } from "../kit/line.ts";
import { html, type Markup } from "../kit/markup.ts";
import { type Point, quantile } from "../kit/series.ts";

const MAX_SPARKLINES = 48;

/** The rows of a run, by kind, in the order of their steps. */
export interface RunMetrics {
  readonly train: readonly TrainRow[];
  readonly validation: readonly ValidationRow[];
}

export function splitMetrics(rows: readonly MetricsRow[]): RunMetrics {
  const ordered = [...rows].sort((a, b) => a.step - b.step);
  return {
    train: ordered.filter((row) => row.kind === "train"),
    validation: ordered.filter((row) => row.kind === "validation"),
  };
}

export interface RunSummary {
  readonly steps: number;
  readonly seconds: number;
  /** First and last finite validation loss and the smallest; undefined before the first validation. */
  readonly validation?: { readonly before: ValidationRow; readonly after: ValidationRow; readonly best: ValidationRow };
  /** Median over the steps; NaN without steps. */
  readonly audioSecondsPerSecond: number;
  /** Steps whose loss or gradient norm is not finite. */
  readonly brokenSteps: readonly number[];
}

export function summarise({ train, validation }: RunMetrics): RunSummary {
  const finite = validation.filter(({ loss }) => Number.isFinite(loss));
  const last = [train.at(-1), validation.at(-1)].filter((row) => row !== undefined);
  return {
    steps: Math.max(0, ...last.map(({ step }) => step)),
    seconds: Math.max(0, ...last.map(({ seconds }) => seconds)),
    validation: finite.length
      ? { before: finite[0], after: finite.at(-1)!, best: finite.reduce((a, b) => (b.loss < a.loss ? b : a)) }
      : undefined,
    audioSecondsPerSecond: quantile(
      train.map((row) => row.audioSecondsPerSecond),
      0.5,
    ),
    brokenSteps: train
      .filter((row) => !Number.isFinite(row.loss) || !Number.isFinite(row.gradientNorm))
      .map(({ step }) => step),
  };
}

type NumberField = { [K in keyof TrainRow]: TrainRow[K] extends number ? K : never }[keyof TrainRow];

const series = (rows: readonly TrainRow[], field: NumberField, scale = 1): Point[] =>
  rows.map((row) => ({ step: row.step, value: row[field] * scale }));

export function lossCharts({ train, validation }: RunMetrics): Markup {
  const pair = (title: string, masked: NumberField, unmasked: NumberField) =>
    chart({
      title,
      lines: [
        { label: "masked", points: series(train, masked), tone: "accent", smoothed: true },
        { label: "unmasked", points: series(train, unmasked), tone: "soft", smoothed: true },
      ],
    });
  const total: ChartLine = { label: "training loss", points: series(train, "loss"), tone: "accent", smoothed: true };
  return html`${chart({ title: "Training loss", lines: [total], size: "full" })}
    <div class="grid">
      ${pair("Layers before the last", "hintMasked", "hintUnmasked")}
      ${pair("Last layer", "lastMasked", "lastUnmasked")}
      ${chart({
        title: "Validation loss",
        lines: [
          {
            label: "validation loss",
            points: validation.map(({ step, loss }) => ({ step, value: loss })),
            tone: "accent",
          },
        ],
        dots: true,
      })}
      ${validationByHead(validation)}
    </div>`;
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
  return chart({ title: "Validation loss of each head", across: "head", lines, dots: true });
}

/** One small chart a head, all with the same axes, so that heights compare. */
export function layerCharts({ train }: RunMetrics): Markup {
  const layers = train.reduce((most, row) => Math.max(most, row.perLayerMasked.length, row.perLayerUnmasked.length), 0);
  if (layers === 0) return html`<p class="empty">No values yet.</p>`;
  const shown = Math.min(layers, MAX_SPARKLINES);
  const lines = Array.from({ length: shown }, (_, layer): PreparedLine[] => {
    const points = (field: "perLayerMasked" | "perLayerUnmasked") =>
      train.map((row) => ({ step: row.step, value: row[field][layer] ?? Number.NaN }));
    return [
      prepareLine({ label: "masked frames", points: points("perLayerMasked"), tone: "accent", smoothed: true }),
      prepareLine({ label: "unmasked frames", points: points("perLayerUnmasked"), tone: "soft", smoothed: true }),
    ];
  });
  const top = Math.max(
    ...lines.flat().map(
      ({ raw }) =>
        quantile(
          raw.map(({ value }) => value),
          0.98,
        ) || 0,
    ),
  );
  const lastFinite = ({ ends }: PreparedLine) => ends?.[1].value;
  const cell = (value: number | undefined) => html`<td>${value === undefined ? "" : formatNumber(value)}</td>`;
  return html`<ul class="key"><li>masked frames</li><li class="soft">unmasked frames</li></ul>
    <div class="sparks">${lines.map((pair, layer) => {
      const masked = lastFinite(pair[0]);
      return html`<figure><figcaption><span>Head ${layer}</span><b>${masked === undefined ? "" : formatNumber(masked)}</b></figcaption>
        ${sparkline(`Loss of head ${layer}`, pair, top) ?? html`<p class="empty">No values yet.</p>`}</figure>`;
    })}</div>
    <p class="note">All from 0 to ${formatNumber(top)}; the number is the last value on masked frames.${
      layers > shown && ` ${layers - shown} more heads are not shown.`
    }</p>
    <details><summary>Numbers</summary><div class="scroll"><table><caption>Last loss of each head</caption>
      <thead><tr><th scope="col">head</th><th scope="col">masked frames</th><th scope="col">unmasked frames</th></tr></thead>
      <tbody>${lines.map(
        (pair, layer) =>
          html`<tr><th scope="row">${layer}</th>${cell(lastFinite(pair[0]))}${cell(lastFinite(pair[1]))}</tr>`,
      )}</tbody></table></div></details>`;
}

export function optimiserCharts({ train }: RunMetrics): Markup {
  const single = (title: string, label: string, points: Point[], options: { unit?: string; smoothed?: boolean } = {}) =>
    chart({
      title,
      unit: options.unit,
      lines: [{ label, points, tone: "accent", smoothed: options.smoothed ?? true }],
    });
  return html`<div class="grid">
    ${single("Learning rate", "learning rate", series(train, "learningRate"), { smoothed: false })}
    ${single("Gradient norm", "gradient norm", series(train, "gradientNorm"))}
    ${single("Time of a step", "time of a step", series(train, "stepSeconds"), { unit: "seconds" })}
    ${single("Throughput", "throughput", series(train, "audioSecondsPerSecond"), { unit: "seconds of audio per second" })}
    ${single("Memory", "memory", series(train, "rssBytes", 1e-9), { unit: "GB resident", smoothed: false })}
    ${single("Masked frames", "masked frames", series(train, "maskedFraction", 100), { unit: "% of frames" })}
  </div>`;
}
