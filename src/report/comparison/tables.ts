// Comparisons and scores as rows of text for a terminal.
import { formatCount, formatDuration, formatLearningRate, printable } from "../../log/format.ts";
import { METRICS, type Score, type TaskResults } from "../../superb/scores.ts";
import type { ComparedRun, Comparison, TaskComparison, TestSetComparison } from "../results/comparison.types.ts";
import { groupBy } from "../results/group.ts";
import type { ScoredUpstream } from "../results/score.ts";
import { cut, formatConfidence, formatFigure, formatInterval, formatParameters } from "../results/words.ts";

export interface TextTable {
  /** Lines above the table. */
  readonly title: string;
  readonly head: readonly string[];
  /** Each as long as `head`; the first column reads from the left, the others are numbers. */
  readonly rows: readonly (readonly string[])[];
  /** Sentences below the table. */
  readonly notes: readonly string[];
}

const NAME_WIDTH = 60;

const name = (text: string) => printable(cut(text, NAME_WIDTH));

/** One table a test set, then one of the scores. */
export const comparisonTables = (comparison: Comparison): TextTable[] => [
  ...comparison.tasks.flatMap((task) => task.testSets.map((set, i) => testSetTable(task, set, i))),
  ...scoreTables(comparison.scores),
];

/** Metric, interval, dev, parameters, learning rate, steps and time of training. */
export const runFigures = (run: ComparedRun): string[] => [
  formatFigure(run.metric.value),
  formatInterval(run.metric),
  formatFigure(run.dev ?? Number.NaN),
  formatParameters(run.parameters),
  formatLearningRate(run.learningRate),
  formatCount(run.steps),
  formatDuration(run.trainingSeconds),
];

function testSetTable(task: TaskComparison, set: TestSetComparison, place: number): TextTable {
  const { runs, pairs } = set;
  const best = runs[0].label;
  const confidence = formatConfidence(runs[0].metric.confidence);
  const direction = task.isHigherBetter ? "higher is better" : "lower is better";
  return {
    title: printable(
      `${task.title} on ${cut(set.source)}, ${formatCount(set.utterances)} utterances (${task.metric} in %, ${direction})`,
    ),
    head: ["run", task.metric, `${confidence} interval`, "dev", "parameters", "lr", "steps", "training"],
    rows: runs.map((run) => [name(run.label), ...runFigures(run)]),
    notes: [
      ...pairs.filter(({ a }) => a === best).map(({ sentence }) => printable(sentence)),
      ...(place === 0
        ? task.notComparable.map(({ a, b, reason }) => printable(`${a} and ${b} are not comparable: ${reason}.`))
        : []),
    ],
  };
}

/** Metrics that some upstream has, in the benchmark's order. */
export const metricsOf = (upstreams: readonly ScoredUpstream[]): (keyof TaskResults)[] =>
  (Object.keys(METRICS) as (keyof TaskResults)[]).filter((metric) =>
    upstreams.some(({ results }) => results[metric] !== undefined),
  );

/** A result in its own unit: MTWV is a fraction. */
export const formatResult = (metric: keyof TaskResults, value: number | undefined): string =>
  value === undefined ? "—" : metric === "mtwv" ? value.toFixed(4) : formatFigure(value);

/** `partial: 3 of 11`: of how many metrics or tasks a score is the mean. */
export const partOf = ({ present, missing }: Score): string =>
  `partial: ${present.length} of ${present.length + missing.length}`;

/** `78.90`, or `84.12 (partial: 3 of 11)`. */
function formatScore(score: Score, digits: number): string {
  if (score.value === undefined) return "—";
  return score.value.toFixed(digits) + (score.isPartial ? ` (${partOf(score)})` : "");
}

export function scoreTables(upstreams: readonly ScoredUpstream[]): TextTable[] {
  if (upstreams.length === 0) return [];
  const metrics = metricsOf(upstreams);
  return [
    {
      title: "Scores over tasks",
      head: ["upstream", "parameters", ...metrics, "overall", "superb_s"],
      rows: upstreams.map(({ name: upstream, parameters, results, overall, superbS }) => [
        name(upstream),
        formatParameters(parameters),
        ...metrics.map((metric) => formatResult(metric, results[metric])),
        formatScore(overall, 2),
        formatScore(superbS, 0),
      ]),
      notes: scoreNotes(upstreams).map(printable),
    },
  ];
}

/** What a reader of the scores has to know. */
export function scoreNotes(upstreams: readonly ScoredUpstream[]): string[] {
  const partial = namesBy(upstreams, ({ overall, superbS }) =>
    overall.isPartial
      ? `partial scores, not comparable with published ones: overall lacks ${overall.missing.join(", ")}; superb_s lacks ${superbS.missing.join(", ")}.`
      : undefined,
  );
  const fixed = namesBy(upstreams, ({ sources }) => {
    const metrics = sources.filter(({ protocol }) => protocol === "fixed").map(({ metric }) => metric);
    return metrics.length > 0
      ? `${metrics.join(", ")} by the protocol "fixed", not the benchmark's own lengths of training.`
      : undefined;
  });
  const tasks = new Set(upstreams.map(({ overall }) => overall.present.join()));
  return [
    ...partial,
    ...(tasks.size > 1 ? ["Scores over different tasks are not comparable with one another."] : []),
    ...fixed,
    ...upstreams.flatMap(({ name: upstream, notes }) => notes.map((note) => `${upstream}: ${note}.`)),
  ];
}

/** Each remark once, after the names of all upstreams that it is about. */
function namesBy(
  upstreams: readonly ScoredUpstream[],
  remark: (upstream: ScoredUpstream) => string | undefined,
): string[] {
  const remarks = upstreams.flatMap((upstream) => {
    const text = remark(upstream);
    return text === undefined ? [] : [{ upstream: upstream.name, text }];
  });
  const namesIn = (group: typeof remarks) => group.map(({ upstream }) => upstream).join(", ");
  return groupBy(remarks, ({ text }) => text).map((group) => `${namesIn(group)}: ${group[0].text}`);
}
