// The report of a comparison: one self-contained HTML page about several runs, by task, with scores of the upstreams over tasks.
import { formatCount, plural } from "../../log/index.ts";
import type { Score } from "../../superb/scores.ts";
import type { Evaluation } from "../evaluation/read.ts";
import { MAX_URI_CHARACTERS } from "../evaluation/recordings.ts";
import { EVALUATION_STYLE } from "../evaluation/style.ts";
import { cut, formatParameters } from "../evaluation/words.ts";
import { type Content, html, type Markup, writePage } from "../index.ts";
import { type Comparison, compareEvaluations, labelRuns } from "./compare.ts";
import { taskSection } from "./comparison-task.ts";
import type { ScoredUpstream } from "./score.ts";
import { formatResult, metricsOf, scoreNotes } from "./tables.ts";

const MAX_NOTES = 60;

/**
 * The page as one string, below 4 MB for some tens of runs; as self-contained and escaped as the report of one evaluation.
 * @param comparison of the same runs, where it is at hand already
 */
export function writeComparisonReport(
  runs: readonly Evaluation[],
  comparison: Comparison = compareEvaluations(runs),
): string {
  const labelled = labelRuns(runs);
  const sections = comparison.tasks.map((task) =>
    taskSection(
      task,
      labelled.filter(({ evaluation }) => evaluation.result.task === task.task),
      MAX_URI_CHARACTERS / comparison.tasks.length,
    ),
  );
  const { seed, draws } = comparison.bootstrap;
  const title = `${plural(runs.length, "run")} of ${plural(comparison.scores.length, "upstream")}`;
  return writePage({
    title: `Comparison: ${title}`,
    style: EVALUATION_STYLE,
    plays: sections.some(({ plays }) => plays),
    body: html`<header><p class="eyebrow">Stillwave comparison</p><h1>${title}</h1>
<p class="lead">${comparison.tasks.map((task) => task.title).join(", ")}. Intervals of differences from ${formatCount(draws)} bootstrap draws of utterances, seed ${seed}.</p></header>
${scoreSection(comparison.scores)}
${sections.map(({ content }) => content)}`,
  });
}

function scoreSection(upstreams: readonly ScoredUpstream[]): Markup {
  const metrics = metricsOf(upstreams);
  const row = ({
    name,
    parameters,
    results,
    overall,
    superbS,
  }: ScoredUpstream) => html`<tr><th scope="row">${cut(name, 80)}</th>
    <td>${parameters === null ? "—" : formatParameters(parameters)}</td>
    ${metrics.map((metric) => html`<td>${formatResult(metric, results[metric])}</td>`)}
    <td>${scoreCell(overall, 2)}</td><td>${scoreCell(superbS, 0)}</td></tr>`;
  const notes = scoreNotes(upstreams).slice(0, MAX_NOTES);
  return html`<section aria-labelledby="scores"><h2 id="scores">Scores over tasks</h2>
    <p class="lead">overall: mean of the benchmark's 11 metrics, out of 100. superb_s: mean over its 10 tasks of the way from filterbanks (0) to the best model of its leaderboard (1000).</p>
    <div class="scroll"><table class="named"><caption>Metrics as the benchmark reports them</caption>
    <thead><tr><th scope="col">upstream</th><th scope="col">parameters</th>${metrics.map((metric) => html`<th scope="col">${metric}</th>`)}<th scope="col">overall</th><th scope="col">superb_s</th></tr></thead>
    <tbody>${upstreams.map(row)}</tbody></table></div>
    ${notes.length > 0 && html`<ul class="verdicts note">${notes.map((note) => html`<li>${cut(note, 1000)}</li>`)}</ul>`}</section>`;
}

function scoreCell({ value, isPartial, present, missing }: Score, digits: number): Content {
  if (value === undefined) return "—";
  const mark =
    isPartial && html` <span class="partial">partial: ${present.length} of ${present.length + missing.length}</span>`;
  return html`${value.toFixed(digits)}${mark}`;
}
