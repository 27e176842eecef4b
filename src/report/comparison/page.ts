// The report of a comparison: one self-contained HTML page about several runs, by task, with scores of the upstreams over tasks.
import { formatCount, plural } from "../../log/format.ts";
import type { Score } from "../../superb/scores.ts";
import { MAX_URI_CHARACTERS } from "../evaluation/recordings.ts";
import { type Content, html, type Markup } from "../kit/markup.ts";
import { writePage } from "../kit/page.ts";
import { section } from "../kit/pieces.ts";
import { table } from "../kit/table.ts";
import { compareEvaluations, labelRuns } from "../results/compare.ts";
import type { Comparison } from "../results/comparison.types.ts";
import type { Evaluation } from "../results/read.ts";
import type { ScoredUpstream } from "../results/score.ts";
import { cut, formatParameters } from "../results/words.ts";
import { formatResult, metricsOf, partOf, scoreNotes } from "./tables.ts";
import { taskSection } from "./task.ts";

const MAX_NOTES = 60;

/**
 * The page as one string, below 4 MB for some tens of runs; as self-contained and escaped as the report of one evaluation.
 * @param comparison of the same runs, where it is at hand already
 */
export function writeComparisonReport(
  runs: readonly Evaluation[],
  comparison: Comparison = compareEvaluations(runs),
): string {
  const { tasks, scores, bootstrap } = comparison;
  const labelled = labelRuns(runs);
  const sections = tasks.map((task) =>
    taskSection(
      task,
      labelled.filter(({ evaluation }) => evaluation.result.task === task.task),
      MAX_URI_CHARACTERS / tasks.length,
    ),
  );
  const heading = `${plural(runs.length, "run")} of ${plural(scores.length, "upstream")}`;
  return writePage({
    title: `Comparison: ${heading}`,
    kind: "Stillwave comparison",
    heading,
    lead: `${tasks.map(({ title }) => title).join(", ")}. Intervals of differences from ${formatCount(bootstrap.draws)} bootstrap draws of utterances, seed ${bootstrap.seed}.`,
    plays: sections.some(({ plays }) => plays),
    sections: [section("scores", "Scores over tasks", scoreTable(scores)), ...sections.map((one) => one.section)],
  });
}

function scoreTable(upstreams: readonly ScoredUpstream[]): Markup {
  const metrics = metricsOf(upstreams);
  const notes = scoreNotes(upstreams).slice(0, MAX_NOTES);
  return html`<p class="lead">overall: mean of the benchmark's 11 metrics, out of 100. superb_s: mean over its 10 tasks of the way from filterbanks (0) to the best model of its leaderboard (1000).</p>
    ${table({
      caption: "Metrics as the benchmark reports them",
      className: "named",
      columns: ["upstream", "parameters", ...metrics, "overall", "superb_s"],
      rows: upstreams.map(({ name, parameters, results, overall, superbS }) => [
        cut(name, 80),
        formatParameters(parameters),
        ...metrics.map((metric) => formatResult(metric, results[metric])),
        scoreCell(overall, 2),
        scoreCell(superbS, 0),
      ]),
    })}
    ${notes.length > 0 && html`<ul class="verdicts note">${notes.map((note) => html`<li>${cut(note, 1000)}</li>`)}</ul>`}`;
}

function scoreCell(score: Score, digits: number): Content {
  if (score.value === undefined) return "—";
  return [score.value.toFixed(digits), score.isPartial && html` <span class="partial">${partOf(score)}</span>`];
}
