// The report of all tasks together: scores with intervals, the layers that every head reads, where the model stands among published ones.
import { relative } from "node:path";
import { formatDuration, formatHours, plural } from "../../log/format.ts";
import type { FoundCorpus } from "../../superb/corpora/find.ts";
import type { EvaluationResult } from "../../superb/run/result.ts";
import type { Score, TaskResults } from "../../superb/scores.ts";
import { TASKS } from "../../superb/tasks/index.ts";
import { partOf } from "../comparison/tables.ts";
import { type Content, html, type Markup } from "../kit/markup.ts";
import { writePage } from "../kit/page.ts";
import { keyNumbers, notices, section } from "../kit/pieces.ts";
import { table } from "../kit/table.ts";
import type { Evaluation } from "../results/read.ts";
import type { ScoredUpstream } from "../results/score.ts";
import { cut, formatInterval, formatParameters, formatPercent, nameOfModel, titleOf } from "../results/words.ts";
import { standing } from "./standing.ts";

/** A task that is done, and on what. */
export interface BenchmarkRun {
  readonly corpus: FoundCorpus;
  readonly evaluation: Evaluation;
}

export interface BenchmarkPage {
  readonly upstream: string;
  readonly folder: string;
  readonly runs: readonly BenchmarkRun[];
  /** Null: no task is done. */
  readonly scores: ScoredUpstream | null;
  /** Why tasks could not be evaluated. */
  readonly failures: ReadonlyMap<string, string>;
  /** Tasks without a corpus, and what was looked for. */
  readonly missing: readonly { readonly task: string; readonly lookedFor: string }[];
  readonly isQuick: boolean;
}

/** The page as one string, as self-contained and escaped as the report of one evaluation. */
export function writeBenchmarkReport(page: BenchmarkPage): string {
  const { upstream, runs, scores, isQuick } = page;
  const name = cut(nameOfModel(scores?.name ?? upstream), 80);
  const done = plural(runs.length, "task");
  return writePage({
    title: `Benchmark: ${name}`,
    kind: "Stillwave benchmark",
    heading: name,
    lead: `${done} of ${Object.keys(TASKS).length} of SUPERB${isQuick ? " by the quick profile" : ""}, each by a head of its own on the frozen model${runs.some(({ evaluation }) => evaluation.result.headParameters === 0) ? ", or by none" : ""}.`,
    summary: [scores && figures(scores), remarks(page)],
    sections: [
      section("tasks", "Tasks", taskTable(page)),
      section("standing", "Among published models", standing(name, scores?.results ?? {}, standInsOf(runs))),
      section("layers", "Layers", layerTable(runs)),
    ],
  });
}

function figures({ overall, superbS, parameters }: ScoredUpstream): Markup {
  const score = (value: Score, digits: number): Content =>
    value.value === undefined
      ? "—"
      : [value.value.toFixed(digits), value.isPartial && html` <span class="partial">${partOf(value)}</span>`];
  const lacks = (value: Score, all: string) =>
    value.isPartial ? `without ${value.missing.join(", ")}: not comparable with published ones` : all;
  return keyNumbers([
    ["overall", score(overall, 2), lacks(overall, "mean of 11 metrics, out of 100")],
    ["superb_s", score(superbS, 0), lacks(superbS, "filterbanks 0, best of the first board 1000")],
    [
      "Upstream",
      formatParameters(parameters),
      parameters === null ? "without parameters to count" : "parameters, frozen",
    ],
  ]);
}

/** Metrics whose corpus is not the benchmark's. */
function standInsOf(runs: readonly BenchmarkRun[]): Set<keyof TaskResults> {
  const others = runs.filter(({ corpus }) => !corpus.isBenchmark);
  return new Set(
    others.flatMap(({ evaluation: { result } }) => {
      const { metric, otherMetrics = [] } = TASKS[result.task];
      return [metric, ...otherMetrics].flatMap(({ score }) => score ?? []);
    }),
  );
}

function remarks({ runs, scores, failures, missing, isQuick }: BenchmarkPage): Content {
  const others = runs.filter(({ corpus }) => !corpus.isBenchmark).map(({ evaluation }) => evaluation.result.task);
  const onTest = runs.flatMap(({ evaluation: { result } }) =>
    result.choices.some(({ on }) => on === "test") ? [result.task] : [],
  );
  const absent = missing.map(({ task, lookedFor }) => html`<li>${task}: no corpus (looked for ${lookedFor})</li>`);
  const failed = [...failures].map(([task, reason]) => html`<li>${task}: ${cut(reason, 500)}</li>`);
  return notices([
    isQuick &&
      "The quick profile trains on fewer data for a fixed number of steps: its figures choose between students, and are no results of the benchmark. How well they order models as the whole benchmark does has not been measured.",
    others.length > 0 &&
      `${others.join(", ")}: the corpus is not the benchmark's. Compare these figures with those of other models on the same corpus only; the scores that they are part of, too.`,
    onTest.length > 0 && `${onTest.join(", ")}: something was chosen on test data, as the benchmark does.`,
    absent.length + failed.length > 0 && [
      html`Not evaluated, and left out of both scores:`,
      html`<ul class="verdicts">${absent}${failed}</ul>`,
    ],
    ...(scores?.notes ?? []).map((note) => cut(note, 500)),
  ]);
}

/** One row a metric. */
function taskTable({ runs, folder }: BenchmarkPage): Content {
  if (runs.length === 0) return html`<p class="empty">No task is done.</p>`;
  const rows = runs.flatMap(({ corpus, evaluation: { result, folder: own } }) =>
    [result.metric, ...result.otherMetrics].map((metric, i) => [
      i === 0 ? html`${titleOf(result.task)}` : "",
      metric.name,
      formatPercent(metric.value),
      formatInterval(metric),
      i > 0 || result.dev === null ? "" : formatPercent(result.dev),
      i === 0 ? splitsOfChoices(result) : "",
      i === 0 ? result.protocol : "",
      i === 0 ? formatHours(result.data.train.seconds) : "",
      i === 0 ? formatDuration(result.seconds.features + result.seconds.training + result.seconds.testing) : "",
      i === 0 ? cut(corpus.layout.replace(/ \(.*/, ""), 60) : "",
      i === 0 ? cut(relative(folder, own) || own, 60) : "",
    ]),
  );
  return [
    html`<p class="lead">Intervals at 95 %, by bootstrap over what was tested. Each run has a report of its own in its folder.</p>`,
    table({
      className: "named tight",
      columns: [
        ...["task", "metric", "test", "interval", "dev", "chosen on", "protocol", "train", "time"],
        { title: "corpus", className: "wrap" },
        "folder",
      ],
      rows,
    }),
  ];
}

const splitsOfChoices = ({ choices }: EvaluationResult): string =>
  [...new Set(choices.map(({ on }) => on))].sort().join(" and ") || "dev";

/** Weights of every head, side by side. */
function layerTable(runs: readonly BenchmarkRun[]): Content {
  const weighed = runs.filter(({ evaluation }) => evaluation.result.layerWeights.length > 1);
  if (weighed.length === 0) return html`<p class="empty">There is one hidden state, so there is nothing to weigh.</p>`;
  const results = weighed.map(({ evaluation }) => evaluation.result);
  const [{ upstream }] = results;
  const tops = results.map(({ layerWeights }) => Math.max(...layerWeights.filter(Number.isFinite)));
  return [
    html`<p class="lead">What each head reads: softmax of the learned weights over the hidden states; of a search, the layer that dev chose.</p>`,
    table({
      className: "side",
      caption: "Weight of every hidden state",
      columns: ["hidden state", ...results.map(({ task }) => task)],
      rows: upstream.layers.map((layer, i) => [
        cut(layer, 60),
        ...results.map(({ layerWeights }, run) => weightCell(layerWeights[i], tops[run])),
      ]),
    }),
  ];
}

function weightCell(weight: number | undefined, top: number): Content {
  if (weight === undefined || !Number.isFinite(weight)) return "—";
  const share = top > 0 ? (100 * weight) / top : 0;
  return html`${weight.toFixed(3)}<span class="meter"><i style="width:${share.toFixed(0)}%"></i></span>`;
}
