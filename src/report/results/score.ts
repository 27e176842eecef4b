// The benchmark's scores of upstreams, from whatever tasks they were evaluated on and from published results.
import type { EvaluationResult } from "../../superb/run/result.ts";
import { type BenchmarkScores, scoreTasks, type TaskResults } from "../../superb/scores.ts";
import { TASKS, type TaskName } from "../../superb/tasks/index.ts";
import { groupBy } from "./group.ts";
import { type PublishedResults, readPublished } from "./published.ts";
import type { Evaluation } from "./read.ts";
import { readRuns } from "./rescore.ts";

export interface ScoredUpstream extends BenchmarkScores {
  readonly name: string;
  /** Null: results from a file. */
  readonly fingerprint: string | null;
  readonly parameters: number | null;
  readonly results: TaskResults;
  /** Where each result is from. */
  readonly sources: readonly {
    readonly metric: string;
    readonly from: string;
    readonly protocol: EvaluationResult["protocol"] | null;
  }[];
  /** Runs that were left out, and why. */
  readonly notes: readonly string[];
}

export interface Scores {
  readonly upstreams: readonly ScoredUpstream[];
}

/**
 * Scores the upstreams of run folders, one row each, and published results.
 * @throws StillwaveError for a folder or file that cannot be read, UsageError where there is neither.
 */
export async function scoreRuns(folders: readonly string[], resultFiles: readonly string[] = []): Promise<Scores> {
  const runs = folders.length === 0 && resultFiles.length > 0 ? [] : await readRuns(folders);
  const published: PublishedResults[] = [];
  for (const file of resultFiles) published.push(await readPublished(file));
  return scoreEvaluations(runs, published);
}

const NAMESAKE = "another upstream has this name and another fingerprint; the two are scored apart";

export function scoreEvaluations(runs: readonly Evaluation[], published: readonly PublishedResults[] = []): Scores {
  const measured = groupBy(runs, upstreamKey).map(scoreUpstream);
  const upstreams = measured.map((upstream) => {
    if (measured.filter(({ name }) => name === upstream.name).length === 1) return upstream;
    const print = upstream.fingerprint?.replace(/^sha256:/, "").slice(0, 8);
    return { ...upstream, notes: [...upstream.notes, NAMESAKE], name: `${upstream.name} (${print})` };
  });
  return { upstreams: [...upstreams, ...published.map(scorePublished)] };
}

/** Runs belong together by fingerprint, where there is one; else by name. */
const upstreamKey = ({ result: { upstream } }: Evaluation): string =>
  upstream.fingerprint === "" ? `name ${upstream.name}` : `fingerprint ${upstream.fingerprint}`;

/** Better on dev: test data choose nothing. */
function isBetter(a: EvaluationResult, b: EvaluationResult): boolean {
  const [x, y] = [a.dev, b.dev].map((dev) => dev ?? Number.NaN);
  return a.metric.isHigherBetter ? x > y : x < y;
}

function scoreUpstream(runs: readonly Evaluation[]): ScoredUpstream {
  const chosen = new Map<TaskName, Evaluation>();
  for (const run of runs) {
    const rival = chosen.get(run.result.task);
    if (!rival || isBetter(run.result, rival.result)) chosen.set(run.result.task, run);
  }
  const used = Object.keys(TASKS).flatMap((task) => chosen.get(task as TaskName) ?? []);
  const scored = used.flatMap(({ result, folder }) => {
    const { metric, otherMetrics = [] } = TASKS[result.task];
    const valueNamed = (name: string) => result.otherMetrics.find((one) => one.name === name)?.value;
    const others = otherMetrics.map(({ name, score }) => ({ metric: score, value: valueNamed(name) }));
    // scores are made of the benchmark's number: of the whole evaluation where this is a part, and as a fraction
    const headline = result.search ? (result.search.whole?.value ?? result.metric.value) / 100 : result.metric.value;
    return [{ metric: metric.score, value: headline }, ...others].flatMap(({ metric, value }) =>
      metric === undefined || value === undefined ? [] : [{ metric, value, from: folder, protocol: result.protocol }],
    );
  });
  const results: TaskResults = Object.fromEntries(scored.map(({ metric, value }) => [metric, value]));
  const sources = scored.map(({ value: _, ...source }) => source);
  const { name, fingerprint, parameters } = runs[0].result.upstream;
  const better = ({ result }: Evaluation) => `${chosen.get(result.task)!.folder} of the same task is better on dev`;
  const left = runs.filter((run) => !used.includes(run));
  const notes = left.map((run) => `${run.folder} is left out: ${better(run)}`);
  return { name, fingerprint, parameters, results, sources, ...scoreTasks(results), notes };
}

function scorePublished({ name, file, parameters, results }: PublishedResults): ScoredUpstream {
  const sources = Object.keys(results).map((metric) => ({ metric, from: file, protocol: null }));
  return { name, fingerprint: null, parameters, results, sources, ...scoreTasks(results), notes: [] };
}
