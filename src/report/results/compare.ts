// Several runs side by side: by task and test set, with the significance of every pair, and scores of the upstreams over tasks.
import { createHash } from "node:crypto";
import { basename, resolve } from "node:path";
import type { BootstrapOptions } from "../../metrics/bootstrap.ts";
import { scorePredictions } from "../../superb/measures/index.ts";
import type { EvaluationResult } from "../../superb/run/result.ts";
import { TASKS, type TaskName } from "../../superb/tasks/index.ts";
import type {
  ComparedRun,
  Comparison,
  SettingDifference,
  TaskComparison,
  TestSetComparison,
} from "./comparison.types.ts";
import { groupBy } from "./group.ts";
import { comparePairs, type LabelledRun } from "./pairs.ts";
import type { Evaluation } from "./read.ts";
import { readRuns } from "./rescore.ts";
import { scoreEvaluations } from "./score.ts";
import { chosenRate } from "./sweep.ts";
import { nameOfModel, titleOf } from "./words.ts";

export type CompareOptions = Partial<BootstrapOptions>;

/** Compares the runs in `folders`: `readRuns`, then `compareEvaluations`. */
export const compareRuns = async (folders: readonly string[], options: CompareOptions = {}): Promise<Comparison> =>
  compareEvaluations(await readRuns(folders), options);

/** Compares runs that are in memory; the result can be written as JSON. */
export function compareEvaluations(runs: readonly Evaluation[], options: CompareOptions = {}): Comparison {
  const { seed = 0, draws = 10_000, confidence = 0.95 } = options;
  const bootstrap = { seed, draws, confidence };
  const labelled = labelRuns(runs);
  const runsOf = (task: TaskName) => labelled.filter(({ evaluation }) => evaluation.result.task === task);
  const tasks = (Object.keys(TASKS) as TaskName[]).filter((task) => runsOf(task).length > 0);
  return {
    tasks: tasks.map((task) => compareTask(task, runsOf(task), bootstrap)),
    scores: scoreEvaluations(runs).upstreams,
    bootstrap,
  };
}

/** Runs with a name of their own within their task. */
export function labelRuns(runs: readonly Evaluation[]): LabelledRun[] {
  const names = [
    ({ result }: Evaluation) => nameOfModel(result.upstream.name),
    ({ result, folder }: Evaluation) => `${nameOfModel(result.upstream.name)} (${basename(resolve(folder))})`,
    ({ result, folder }: Evaluation) => `${nameOfModel(result.upstream.name)} (${folder})`,
  ];
  return runs.map((evaluation) => {
    const rivals = runs.filter(({ result }) => result.task === evaluation.result.task);
    const isUnique = (name: (run: Evaluation) => string) =>
      rivals.filter((run) => name(run) === name(evaluation)).length === 1;
    const label = (names.find(isUnique) ?? names[2])(evaluation);
    return { label, evaluation, scoring: scorePredictions(evaluation.test, evaluation.result.unit) };
  });
}

function compareTask(task: TaskName, runs: readonly LabelledRun[], bootstrap: BootstrapOptions): TaskComparison {
  const groups = groupBy(runs, testSetKey).sort((a, b) => b.length - a.length);
  const apart = groups.flatMap((group, i) =>
    groups.slice(i + 1).flatMap((other) => group.flatMap((a) => other.map((b) => [a, b]))),
  );
  const { name, isHigherBetter } = runs[0].evaluation.result.metric;
  return {
    task,
    title: titleOf(task),
    metric: name,
    isHigherBetter,
    testSets: groups.map((group) => compareTestSet(group, bootstrap)),
    notComparable: apart.map(([a, b]) => ({ a: a.label, b: b.label, reason: whyNot(a.evaluation, b.evaluation) })),
  };
}

/** Best first; equal ones in the order given. */
export function ranked(runs: readonly LabelledRun[]): LabelledRun[] {
  const badness = ({ scoring, evaluation }: LabelledRun) =>
    evaluation.result.metric.isHigherBetter ? -scoring.value : scoring.value;
  return [...runs].sort((a, b) => badness(a) - badness(b));
}

function compareTestSet(group: readonly LabelledRun[], bootstrap: BootstrapOptions): TestSetComparison {
  const runs = ranked(group);
  const { test, result } = runs[0].evaluation;
  return {
    source: result.data.test.source,
    utterances: test.length,
    runs: runs.map(describeRun),
    pairs: comparePairs(runs, bootstrap),
    differences: settingDifferences(runs.map(({ evaluation }) => evaluation.result)),
  };
}

function describeRun({ label, evaluation: { folder, result } }: LabelledRun): ComparedRun {
  const rate = chosenRate(result);
  return {
    label,
    folder,
    upstream: result.upstream.name,
    fingerprint: result.upstream.fingerprint,
    parameters: result.upstream.parameters,
    protocol: result.protocol,
    metric: result.metric,
    dev: result.dev,
    learningRate: rate?.learningRate ?? Number.NaN,
    steps: rate?.steps ?? 0,
    bestStep: rate?.best?.step ?? null,
    trainingSeconds: result.seconds.training,
  };
}

function settingDifferences(results: readonly EvaluationResult[]): SettingDifference[] {
  const settings = results.map(
    (result): Record<string, string | number | boolean | null> => ({
      protocol: result.protocol,
      "training data": result.data.fingerprint,
      "hidden states": result.upstream.layers.length,
      "head parameters": result.headParameters,
      ...result.options,
    }),
  );
  const names = [...new Set(settings.flatMap((entries) => Object.keys(entries)))];
  return names
    .map((name) => ({ name, values: settings.map((entries) => (Object.hasOwn(entries, name) ? entries[name] : null)) }))
    .filter(({ values }) => new Set(values).size > 1);
}

/** The same for the same utterances with the same references in the same unit, in whatever order. */
function testSetKey({ evaluation: { test, result } }: LabelledRun): string {
  const rows = test.map(({ id, reference }) => JSON.stringify([id, reference])).sort();
  return createHash("sha256")
    .update([result.unit, ...rows].join("\n"))
    .digest("hex");
}

/** Why two runs' figures must not be held against each other. */
function whyNot(a: Evaluation, b: Evaluation): string {
  const references = new Map(b.test.map(({ id, reference }) => [id, reference]));
  const shared = a.test.filter(({ id }) => references.has(id));
  const lone = a.test.length + b.test.length - 2 * shared.length;
  if (a.result.unit !== b.result.unit) return `errors are counted in ${a.result.unit}s and in ${b.result.unit}s`;
  if (lone > 0)
    return `the test sets differ: ${a.test.length} and ${b.test.length} utterances, of which ${shared.length} are in both`;
  const other = shared.filter(({ id, reference }) => references.get(id) !== reference);
  return `the references of ${other.length} utterances differ, for example of "${other[0]?.id}": other labels or another vocabulary`;
}
