// The page of a search: values of every layer on dev, misses against false alarms, queries that went best and worst.
import { formatCount, plural } from "../../log/format.ts";
import { falseAlarmWeight, QUESST_WEIGHTS, type SearchTrial, termDetectionCurve } from "../../metrics/mtwv.ts";
import type { Prediction } from "../../metrics/predictions.ts";
import type { SearchReport } from "../../superb/measures/measure.types.ts";
import type { EvaluationResult } from "../../superb/run/result.ts";
import { chart } from "../kit/chart.ts";
import { type Content, html } from "../kit/markup.ts";
import { facts, notShown } from "../kit/pieces.ts";
import { table } from "../kit/table.ts";
import { groupBy } from "../results/group.ts";
import type { Evaluation } from "../results/read.ts";
import { cut, formatFigure, formatPercent } from "../results/words.ts";
import { type Playing, utteranceCards } from "./cards.ts";

const MAX_LAYERS = 200;
/** Queries that are shown of each end. */
const SHOWN = 6;

/** What the value is made of, and of which part of the evaluation. */
export function searchFacts({ result }: Evaluation, { trials, threshold }: SearchReport): Content {
  const { search } = result;
  const claimed = trials.filter(({ score }) => score >= threshold);
  const right = claimed.filter(({ isTarget }) => isTarget).length;
  const targets = trials.filter(({ isTarget }) => isTarget).length;
  return facts([
    ["Threshold", formatFigure(threshold)],
    ["Found", `${formatCount(right)} of ${formatCount(targets)} occurrences in documents`],
    ["False alarms", `${formatCount(claimed.length - right)} of ${formatCount(trials.length - targets)} pairs`],
    !!search?.whole && [
      "Whole evaluation",
      `MTWV ${formatPercent(search.whole.value)}: these are a part of ${formatCount(search.whole.queries)} queries in ${formatCount(search.whole.documents)} documents, of which the others count as not found. This is the benchmark's number; the other is of the part alone`,
    ],
    search &&
      search.shortQueries > 0 && [
        "Too short",
        `${formatCount(search.shortQueries)} of ${formatCount(search.queries.test)} queries`,
      ],
    search && search.leftOut > 0 && ["Left out", plural(search.leftOut, "document")],
  ]);
}

/** Value of every layer on dev. */
export function layerValues({ search, choices }: EvaluationResult): Content {
  if (!search) return undefined;
  const most = Math.max(...search.layers.map(({ dev }) => dev), 1e-12);
  const chosen = choices.find(({ what }) => what === "layer")?.chosen;
  const shown = search.layers.slice(0, MAX_LAYERS);
  return [
    html`<p class="lead">${search.layers.length === 1 ? "There is one hidden state." : `Dev chose one of ${search.layers.length} hidden states; test was searched in that one alone.`}</p>`,
    table({
      caption: search.whole ? "MTWV on dev, of the whole evaluation" : "MTWV on dev",
      className: "bars",
      columns: ["hidden state", "MTWV", { className: "bar" }],
      rows: shown.map(({ name, dev }) => ({
        className: name === chosen && "most",
        cells: [
          cut(name, 60),
          formatPercent(dev),
          html`<i style="width:${Math.max(0, Math.min(100, (100 * dev) / most)).toFixed(1)}%"></i>`,
        ],
      })),
    }),
    notShown(search.layers.length - shown.length),
  ];
}

/** Misses against false alarms, means over queries. */
export function detectionChart({ trials }: SearchReport): Content {
  const points = termDetectionCurve(trials).filter(({ falseAlarmRate }) => falseAlarmRate > 0);
  return [
    html`<p class="lead">Share of occurrences that are missed, at the share of other documents that are claimed: means over queries, at every threshold.</p>`,
    chart({
      title: "Detection error tradeoff",
      value: "missed (%)",
      size: "full",
      across: "false alarms (%)",
      lines: [
        {
          label: "missed",
          tone: "accent",
          points: points.map(({ missRate, falseAlarmRate }) => ({ step: 100 * falseAlarmRate, value: 100 * missRate })),
        },
      ],
    }),
  ];
}

interface QueryValue {
  readonly query: string;
  readonly value: number;
  readonly trials: readonly (SearchTrial & { readonly document: string })[];
}

/** Queries by their own values at the threshold of all: the best and the worst, with their recordings. */
export function queryCards({ result, test }: Evaluation, { trials, threshold }: SearchReport): Playing {
  const values = groupBy(trials, ({ query }) => query)
    .filter((own) => own.some(({ isTarget }) => isTarget))
    .map((own): QueryValue => {
      return { query: own[0].query, value: valueAt(own, threshold), trials: own };
    })
    .sort((a, b) => b.value - a.value);
  const worst = values.slice(SHOWN).slice(-SHOWN).reverse();
  const shown = [...values.slice(0, SHOWN), ...worst];
  const recordings = new Map(
    test.filter(({ audio }) => audio !== undefined).map((row) => [row.id.split("\t")[0], row]),
  );
  const rows = shown.map(({ query }): Prediction => {
    return { ...(recordings.get(query) ?? { reference: "", hypothesis: "" }), id: query };
  });
  return utteranceCards(rows, { root: result.data.root, isNarrow: true }, (_, i) => {
    const { value, trials: own, query } = shown[i];
    const claimed = own.filter(({ score }) => score >= threshold);
    const found = claimed.filter(({ isTarget }) => isTarget).length;
    const first = [...own].sort((a, b) => b.score - a.score).slice(0, 5);
    return {
      name: html`${cut(query, 80)} <small>${i < SHOWN ? "best" : "worst"}, value ${formatFigure(100 * value)} %</small>`,
      content: [
        html`<p class="note">${formatCount(found)} of ${formatCount(own.filter(({ isTarget }) => isTarget).length)} occurrences found, ${plural(claimed.length - found, "false alarm")}.</p>`,
        table({
          columns: ["document", "score", "holds it"],
          rows: first.map(({ document, score, isTarget }) => [
            cut(document, 60),
            formatFigure(score),
            isTarget ? "yes" : "no",
          ]),
        }),
      ],
    };
  });
}

/** A query's own value at the threshold of all. */
function valueAt(own: readonly SearchTrial[], threshold: number): number {
  const share = (wanted: boolean) => {
    const all = own.filter(({ isTarget }) => isTarget === wanted);
    return all.length === 0 ? 0 : all.filter(({ score }) => score >= threshold).length / all.length;
  };
  return share(true) - falseAlarmWeight(QUESST_WEIGHTS) * share(false);
}
