// Where a model stands among published ones: a row of marks for every metric, from filterbanks (0) to the best model (1).
import { METRICS, progress, type TaskResults } from "../../superb/scores.ts";
import { formatResult } from "../comparison/tables.ts";
import { marks as telling } from "../kit/hover.ts";
import { type Content, html, type Markup, svgText } from "../kit/markup.ts";
import { fold } from "../kit/pieces.ts";
import { table } from "../kit/table.ts";
import { cut } from "../results/words.ts";
import { PUBLISHED } from "./published.ts";

type Metric = keyof TaskResults;

/** What rows are called. */
const METRIC_TITLES: Readonly<Record<Metric, string>> = {
  per: "Phonemes, PER",
  wer: "Speech, WER",
  ks: "Keywords, accuracy",
  mtwv: "Search, MTWV",
  sid: "Speakers, accuracy",
  eer: "Verification, EER",
  der: "Diarisation, DER",
  ic: "Intents, accuracy",
  f1: "Slots, F1",
  cer: "Slots, CER",
  er: "Emotions, accuracy",
};

const NAMES = Object.keys(METRICS) as Metric[];
/** Of the picture, in its own units. */
const [WIDTH, LEFT, RIGHT, ROW, TOP] = [960, 178, 92, 34, 30];
/** The axis runs so far on both sides; what lies beyond is drawn at its end. */
const [LEAST, MOST] = [-0.25, 1.25];
const TICKS = [0, 0.25, 0.5, 0.75, 1] as const;
/** Room that a letter takes. */
const LETTER = 11;
/** A letter for each published row. */
const LETTERS = "abcdefghijklmnop";

const across = (value: number) =>
  LEFT + ((Math.min(MOST, Math.max(LEAST, value)) - LEAST) / (MOST - LEAST)) * (WIDTH - LEFT - RIGHT);

const place = (value: number) => value.toFixed(1);

interface Mark {
  readonly letter: string;
  /** Model and result. */
  readonly told: string;
  /** On the axis. */
  readonly at: number;
  /** Where the letter stands. */
  readonly letterAt: number;
}

/** Letters above their values, moved aside no further than keeps each readable. */
function marksOf(metric: Metric): Mark[] {
  const sorted = PUBLISHED.map(({ name, results }, i) => ({
    letter: LETTERS[i],
    told: `${name}: ${METRIC_TITLES[metric]} ${formatResult(metric, results[metric])}`,
    at: across(progress(metric, results[metric])),
  })).sort((a, b) => a.at - b.at);
  // letters that touch stand in a row around the middle of their values
  const rows: { first: number; count: number; sum: number }[] = [];
  for (const [i, { at }] of sorted.entries()) {
    rows.push({ first: i, count: 1, sum: at - i * LETTER });
    for (;;) {
      const [before, last] = rows.slice(-2);
      if (!last || before.sum / before.count <= last.sum / last.count) break;
      rows.splice(-2, 2, { first: before.first, count: before.count + last.count, sum: before.sum + last.sum });
    }
  }
  return rows.flatMap(({ first, count, sum }) =>
    sorted.slice(first, first + count).map((mark, i) => ({ ...mark, letterAt: sum / count + (first + i) * LETTER })),
  );
}

function rowOf(metric: Metric, own: TaskResults, isStandIn: boolean, y: number): Markup {
  const value = own[metric];
  const middle = y + ROW / 2;
  const marks = marksOf(metric).map(
    ({ letter, told, at, letterAt }) =>
      html`<line class="lead" x1="${place(letterAt)}" x2="${place(at)}" y1="${place(middle - 3)}" y2="${place(middle + 8)}"/><text class="letter" data-tip="${told}" x="${place(letterAt)}" y="${place(middle - 6)}">${letter}</text>`,
  );
  const mark =
    value !== undefined &&
    html`<circle class="own${isStandIn && " standin"}" cx="${place(across(progress(metric, value)))}" cy="${place(middle + 8)}" r="6" data-tip="this model: ${METRIC_TITLES[metric]} ${formatResult(metric, value)}"/>`;
  return html`<line class="axis" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${place(middle + 8)}" y2="${place(middle + 8)}"/>
<text class="name" x="0" y="${place(middle + 4)}">${METRIC_TITLES[metric]}</text>${marks}${mark}
<text class="${value === undefined ? "missing" : "value"}" x="${WIDTH}" y="${place(middle + 4)}">${value === undefined ? "missing" : formatResult(metric, value)}</text>`;
}

function picture(own: TaskResults, standIns: ReadonlySet<Metric>): Markup {
  const height = TOP + NAMES.length * ROW + 8;
  const told = NAMES.map((metric) => {
    const value = own[metric];
    return `${METRIC_TITLES[metric]}: ${value === undefined ? "missing" : formatResult(metric, value)}.`;
  });
  const { attributes, head } = svgText("standing", "The model among published ones", told.join(" "));
  const ticks = TICKS.map(
    (tick) =>
      html`<line class="tick" x1="${place(across(tick))}" x2="${place(across(tick))}" y1="${TOP - 6}" y2="${height}"/><text class="tick" x="${place(across(tick))}" y="${TOP - 12}">${
        tick === 0 ? "filterbanks" : tick === 1 ? "best of the first board" : tick
      }</text>`,
  );
  const rows = NAMES.map((metric, i) => rowOf(metric, own, standIns.has(metric), TOP + i * ROW));
  return html`<svg class="standing" ${attributes} viewBox="0 0 ${WIDTH} ${height}">${head}${ticks}${rows}</svg>`;
}

/**
 * The picture, a key to its letters with sources, and all numbers.
 * @param standIns metrics whose corpus is not the benchmark's
 */
export function standing(name: string, own: TaskResults, standIns: ReadonlySet<Metric>): Content {
  const key = PUBLISHED.map(({ name: model }, i) => html`<li><b>${LETTERS[i]}</b> ${model}</li>`);
  const rows = PUBLISHED.map(({ name: model, parameters, results, source }) => [
    model,
    parameters.toFixed(1),
    ...NAMES.map((metric) => formatResult(metric, results[metric])),
    source,
  ]);
  const mine = [cut(name, 80), "", ...NAMES.map((metric) => formatResult(metric, own[metric])), "measured here"];
  return [
    html`<p class="lead">Every metric on the scale of superb_s: filterbanks at 0, the best model when the score was fixed at 1. Round marks are this model; letters are published results.${
      standIns.size > 0 &&
      " A hollow mark is of another corpus than the benchmark's: it says nothing about the letters beside it."
    }</p>`,
    html`<figure class="figure full"><div class="scroll">${telling(picture(own, standIns), "Among published models")}</div><ul class="letters">${key}</ul></figure>`,
    fold(
      "Numbers and sources",
      table({
        columns: [
          "model",
          "M",
          ...NAMES.map((metric) => METRIC_TITLES[metric]),
          { title: "source", className: "wrap" },
        ],
        rows: [{ cells: mine, className: "most" }, ...rows],
      }),
    ),
  ];
}
