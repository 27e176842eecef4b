// Which runs lie below a folder, and where each stands, from the files that it leaves: nothing is asked of the runs themselves.
import type { Dirent } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { formatNumber } from "../log/format.ts";
import type { LoggedRow } from "../log/index.ts";
import { lives, parseHolder } from "../training/holder.ts";
import { LOCK_NAME } from "../training/lock.ts";
import { RECORD_NAME } from "../training/run-folder.ts";
import { FAILURE_NAME, METRICS_NAME } from "../training/run-log.ts";
import type { ListedRun, RunState } from "./run.types.ts";
import { lastRows } from "./tail.ts";

/** Folders of a run in which no other run lies. */
const OWN_FOLDERS: ReadonlySet<string> = new Set(
  "best last head predictions tensorboard training checkpoints metrics wandb mlruns units speech search".split(" "),
);
const MAX_DEPTH = 8;
/** Of a metrics file, for the latest values. */
const TAIL_BYTES = 32_768;
/** A holder on another machine that has not touched its lock for so long is gone. */
const SILENT_AFTER_MS = 120_000;
/** A loss above this many times the first is that of a run that has diverged, as in distillations. */
const DIVERGED = 1.5;
const KINDS: Readonly<Record<string, string>> = {
  pretraining: "pretrain",
  finetuning: "finetune",
  "stillwave superb evaluation": "superb",
  "stillwave superb benchmark": "superb all",
};

/** A run that was found, and what it was told by: as long as that stays, so does the rest. */
interface Known {
  readonly signature: string;
  readonly run: ListedRun;
}

/** Looks for runs again and again; what has not changed is not read again. */
export class RunScanner {
  private readonly root: string;
  private known = new Map<string, Known>();

  constructor(root: string) {
    this.root = root;
  }

  /** All runs, by id. */
  async scan(): Promise<ReadonlyMap<string, ListedRun>> {
    const found = new Map<string, Known>();
    await this.visit("", 0, found);
    this.known = found;
    return new Map([...found].map(([id, { run }]) => [id, run]));
  }

  private async visit(id: string, depth: number, found: Map<string, Known>): Promise<void> {
    const folder = join(this.root, id);
    // a folder that goes away while it is looked at holds no run
    const entries = await readdir(folder, { withFileTypes: true }).catch((): Dirent[] => []);
    const names = new Set(entries.map(({ name }) => name));
    const isRun = names.has(RECORD_NAME);
    if (isRun) {
      const known = await this.examine(id, folder, names).catch(() => undefined);
      if (known) found.set(id, known);
    }
    if (depth === MAX_DEPTH) return;
    for (const entry of entries) {
      const { name } = entry;
      if (!entry.isDirectory() || name.startsWith(".") || name === "node_modules" || (isRun && OWN_FOLDERS.has(name)))
        continue;
      await this.visit(id === "" ? name : `${id}/${name}`, depth + 1, found);
    }
  }

  private async examine(id: string, folder: string, names: ReadonlySet<string>): Promise<Known | undefined> {
    const files = [RECORD_NAME, METRICS_NAME, "metrics", LOCK_NAME, "summary.json", "result.json", FAILURE_NAME];
    const there = files.filter((name) => names.has(name));
    const parts = names.has("metrics") ? await readdir(join(folder, "metrics")).catch(() => []) : [];
    const metrics = [
      ...(names.has(METRICS_NAME) ? [METRICS_NAME] : []),
      ...parts.filter((name) => name.endsWith(".jsonl")).map((name) => `metrics/${name}`),
    ];
    const times = await Promise.all(
      [...new Set([...there, ...metrics])].map(async (name) => [name, await stat(join(folder, name))] as const),
    );
    const isRunning = names.has(LOCK_NAME) && (await isHeld(join(folder, LOCK_NAME)));
    const hasReport = names.has("report.html");
    const stamps = times
      .filter(([name]) => name !== LOCK_NAME)
      .map(([name, { mtimeMs, size }]) => [name, mtimeMs, size]);
    const signature = JSON.stringify([stamps, isRunning, hasReport]);
    const before = this.known.get(id);
    if (before?.signature === signature) return before;
    const latest = times.filter(([name]) => metrics.includes(name)).sort(([, a], [, b]) => b.mtimeMs - a.mtimeMs)[0];
    const updated = Math.max(...times.filter(([name]) => name !== LOCK_NAME).map(([, { mtimeMs }]) => mtimeMs));
    const rows = latest ? await lastRows(join(folder, latest[0]), TAIL_BYTES) : [];
    const facts = { record: await json(folder, RECORD_NAME), summary: await json(folder, "summary.json") };
    const [result, failure] = [await json(folder, "result.json"), await json(folder, FAILURE_NAME)];
    return { signature, run: listed({ id, isRunning, hasReport, updated, rows, ...facts, result, failure }) };
  }
}

async function isHeld(path: string): Promise<boolean> {
  const holder = parseHolder(await readFile(path, "utf8").catch(() => ""));
  if (!holder) return false;
  const living = await lives(holder);
  if (living !== "unknown") return living;
  const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: 0 }));
  return Date.now() - mtimeMs < SILENT_AFTER_MS;
}

type Json = Readonly<Record<string, unknown>>;

/** Empty where there is no such file, or it holds no object: a run that is being written. */
async function json(folder: string, name: string): Promise<Json> {
  try {
    const value: unknown = JSON.parse(await readFile(join(folder, name), "utf8"));
    return typeof value === "object" && value !== null ? (value as Json) : {};
  } catch {
    return {};
  }
}

/** The value at a dotted path. */
function at(tree: Json, path: string): unknown {
  return path
    .split(".")
    .reduce<unknown>(
      (value, key) => (typeof value === "object" && value !== null ? (value as Json)[key] : undefined),
      tree,
    );
}

const numberAt = (tree: Json, ...paths: readonly string[]): number | null => {
  for (const path of paths) {
    const value = at(tree, path);
    if (typeof value === "number" && Number.isFinite(value)) return value;
  }
  return null;
};

interface Found {
  readonly id: string;
  readonly isRunning: boolean;
  readonly hasReport: boolean;
  readonly updated: number;
  readonly rows: readonly LoggedRow[];
  readonly record: Json;
  readonly summary: Json;
  readonly result: Json;
  readonly failure: Json;
}

function listed({ id, isRunning, hasReport, updated, rows, record, summary, result, failure }: Found): ListedRun {
  const last = rows.at(-1);
  const step = numberAt(summary, "step") ?? last?.step ?? null;
  const total = numberAt(record, "totalSteps", "facts.totalSteps", "identity.settings.steps");
  const rate = isRunning ? rateOf(rows) : null;
  const message = typeof failure.message === "string" ? failure.message : "";
  const isDone =
    Object.keys(summary).length > 0 || Object.keys(result).length > 0 || hasBenchmarkReport(record, hasReport);
  const validation = [...rows].reverse().find(({ values }) => values["validation/loss"] !== undefined);
  const loss =
    last &&
    [...rows]
      .reverse()
      .map(({ values }) => values["loss/total"] ?? values["train/loss"])
      .find((value) => value !== undefined);
  const hasDiverged =
    summary.diverged === true ||
    message.includes("has diverged") ||
    diverges(rows, numberAt(summary, "initialValidation"));
  const state: RunState = isRunning
    ? "running"
    : hasDiverged
      ? "diverged"
      : message !== ""
        ? "failed"
        : isDone
          ? "done"
          : "interrupted";
  return {
    id,
    kind: kindOf(record),
    state,
    step,
    total,
    rate,
    left: rate !== null && rate > 0 && total !== null && step !== null ? Math.max(0, total - step) / rate : null,
    loss: loss !== undefined && Number.isFinite(loss) ? loss : null,
    score: scoreOf(result) ?? (validation ? `validation ${formatNumber(validation.values["validation/loss"])}` : ""),
    created: Date.parse(String(record.created)) || updated,
    updated,
    hasReport,
    failure: message,
  };
}

function kindOf({ kind, recipe }: Json): string {
  if (typeof kind === "string") return KINDS[kind] ?? kind;
  // an iteration of a pre-training has its number
  return typeof recipe === "object" && recipe !== null && "iteration" in recipe ? "pretrain" : "distill";
}

const hasBenchmarkReport = ({ kind }: Json, hasReport: boolean): boolean =>
  typeof kind === "string" && KINDS[kind] === "superb all" && hasReport;

function diverges(rows: readonly LoggedRow[], initial: number | null): boolean {
  const losses = rows.flatMap(({ step, values }) =>
    "validation/loss" in values ? [{ step, loss: values["validation/loss"] }] : [],
  );
  const first = initial ?? (losses[0]?.step === 0 ? losses[0].loss : null);
  const last = losses.at(-1)?.loss;
  return first !== null && last !== undefined && !(last <= DIVERGED * first);
}

/** Steps a second over the rows at hand. */
function rateOf(rows: readonly LoggedRow[]): number | null {
  const last = rows.at(-1);
  const first = rows.find(({ step, seconds }) => last && step < last.step && seconds < last.seconds);
  return last && first ? (last.step - first.step) / (last.seconds - first.seconds) : null;
}

function scoreOf(result: Json): string | undefined {
  const [first] = Array.isArray(result.decodings) ? (result.decodings as Json[]) : [];
  const [name, value] = first ? [at(first, "metric.name"), at(first, "metric.value")] : [];
  return typeof name === "string" && typeof value === "number" ? `${name} ${formatNumber(value)}` : undefined;
}
