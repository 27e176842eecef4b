// The benchmark's scores of upstreams, from whatever tasks they were evaluated on and from published results.
import { readFile, stat } from "node:fs/promises";
import { basename, extname } from "node:path";
import { z } from "zod";
import { StillwaveError } from "../../errors.ts";
import type { EvaluationResult } from "../../superb/run/result.ts";
import { METRICS, type Score, scoreTasks, type TaskResults } from "../../superb/scores.ts";
import { TASKS, type TaskName } from "../../superb/tasks/index.ts";
import type { Evaluation } from "../evaluation/read.ts";
import { readRuns } from "./runs.ts";

const metricOf = ({ task }: EvaluationResult): keyof TaskResults => TASKS[task].metric.score;

export interface ScoredUpstream {
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
  readonly overall: Score;
  readonly superbS: Score;
  /** Runs that were left out, and why. */
  readonly notes: readonly string[];
}

export interface Scores {
  readonly upstreams: readonly ScoredUpstream[];
}

/** A model's results as somebody published them. */
export interface PublishedResults {
  readonly name: string;
  readonly file: string;
  readonly parameters: number | null;
  readonly results: TaskResults;
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
  const groups = new Map<string, Evaluation[]>();
  for (const run of runs) {
    const key = upstreamKey(run);
    const group = groups.get(key);
    if (group) group.push(run);
    else groups.set(key, [run]);
  }
  const measured = [...groups.values()].map(scoreUpstream);
  const names = measured.map(({ name }) => name);
  const upstreams = measured.map((upstream) =>
    names.filter((name) => name === upstream.name).length > 1
      ? {
          ...upstream,
          notes: [...upstream.notes, NAMESAKE],
          name: `${upstream.name} (${upstream.fingerprint?.replace(/^sha256:/, "").slice(0, 8)})`,
        }
      : upstream,
  );
  return { upstreams: [...upstreams, ...published.map(scorePublished)] };
}

/** Runs belong together by fingerprint, where there is one; else by name. */
function upstreamKey({ result: { upstream } }: Evaluation): string {
  return upstream.fingerprint === "" ? `name ${upstream.name}` : `fingerprint ${upstream.fingerprint}`;
}

/** Better on dev: test data choose nothing. */
function isBetter(a: EvaluationResult, b: EvaluationResult): boolean {
  return a.metric.isHigherBetter ? a.dev > b.dev : a.dev < b.dev;
}

function scoreUpstream(runs: readonly Evaluation[]): ScoredUpstream {
  const chosen = new Map<TaskName, Evaluation>();
  for (const run of runs) {
    const rival = chosen.get(run.result.task);
    if (!rival || isBetter(run.result, rival.result)) chosen.set(run.result.task, run);
  }
  const used = Object.keys(TASKS).flatMap((task) => chosen.get(task as TaskName) ?? []);
  const results: TaskResults = Object.fromEntries(used.map(({ result }) => [metricOf(result), result.metric.value]));
  const { name, fingerprint, parameters } = runs[0].result.upstream;
  const notes = runs
    .filter((run) => !used.includes(run))
    .map(
      ({ folder, result: { task } }) =>
        `${folder} is left out: ${chosen.get(task)!.folder} of the same task is better on dev`,
    );
  return {
    name,
    fingerprint,
    parameters,
    results,
    sources: used.map(({ folder, result }) => ({
      metric: metricOf(result),
      from: folder,
      protocol: result.protocol,
    })),
    ...scoreTasks(results),
    notes,
  };
}

function scorePublished({ name, file, parameters, results }: PublishedResults): ScoredUpstream {
  const sources = Object.keys(results).map((metric) => ({ metric, from: file, protocol: null }));
  return { name, fingerprint: null, parameters, results, sources, ...scoreTasks(results), notes: [] };
}

const MAX_BYTES = 1_000_000;

const publishedSchema = z.strictObject({
  name: z.string().min(1).max(1000).optional(),
  parameters: z.number().int().min(0).optional(),
  ...Object.fromEntries(Object.keys(METRICS).map((metric) => [metric, z.number().optional()])),
});

/**
 * Reads `{"name": "HuBERT Base", "per": 5.41, "wer": 6.42, ...}`; percent, but for `mtwv`, which is a fraction.
 * @throws StillwaveError naming the file, and the metrics there are where one is unknown or no possible result.
 */
export async function readPublished(file: string): Promise<PublishedResults> {
  const valid = `expected an object with "name" and any of ${Object.keys(METRICS).join(", ")} as numbers`;
  const info = await stat(file).catch(() => undefined);
  if (!info?.isFile() || info.size > MAX_BYTES) throw new StillwaveError(`${file}: no file of results; ${valid}`);
  let value: unknown;
  try {
    value = JSON.parse(await readFile(file, "utf8"));
  } catch (error) {
    throw new StillwaveError(`${file}: not valid JSON (${(error as Error).message.slice(0, 200)}); ${valid}`);
  }
  const parsed = publishedSchema.safeParse(value);
  if (!parsed.success) {
    const [{ path, message }] = parsed.error.issues;
    throw new StillwaveError(`${file}: ${path.length > 0 ? `${path.join(".")}: ` : ""}${message}; ${valid}`);
  }
  const { name = basename(file, extname(file)), parameters = null, ...results } = parsed.data;
  if (Object.keys(results).length === 0) throw new StillwaveError(`${file}: holds no result; ${valid}`);
  try {
    scoreTasks(results);
  } catch (error) {
    throw new StillwaveError(`${file}: ${(error as Error).message}; ${valid}`);
  }
  return { name, file, parameters, results };
}
