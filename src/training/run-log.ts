// What a run logs: rows of metrics.jsonl, and the same to its loggers; what a resume does again is dropped first.
import { createHash } from "node:crypto";
import { rm } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { writeFileAtomic } from "../files.ts";
import {
  type LoggedEnd,
  type LoggedRow,
  type LoggedRun,
  type LoggerChoice,
  type MetricsRow,
  openLoggers,
  openMetrics,
  type ParseRow,
  readRows,
  startLoggers,
  truncateAfter,
} from "../log/index.ts";
import type { RunRecord } from "./run-folder.ts";

export const METRICS_NAME = "metrics.jsonl";
export const FAILURE_NAME = "failure.json";

export interface RunLog<Row> {
  /** @throws StillwaveError where metrics.jsonl cannot be written: resume and reports need it */
  write(row: Row): void;
  /** Tells loggers how the run, or this start of it, ended. */
  end(end: LoggedEnd): Promise<void>;
  /** Tells them that an error ended it, and leaves its message in failure.json until the next start. Resolves to the error. */
  fail(error: unknown): Promise<unknown>;
  /** Loggers that were told of no end are told that it was interrupted. */
  close(): Promise<void>;
}

/** What loggers are told of a run. */
export interface LoggedFacts {
  readonly kind: string;
  /** The run folder. */
  readonly folder: string;
  /** The run folder that this one lies in, where it is a part of that run. */
  readonly whole?: string;
  /** Of a run folder with several trainings: which. */
  readonly part?: string;
  readonly record: Pick<RunRecord, "id" | "created">;
  readonly settings: object;
  readonly tags: readonly string[];
}

export interface RunLogOptions<Row> {
  readonly loggers: readonly LoggerChoice[];
  /** Of a run that goes on, the last step whose rows stay; -1: none do. */
  readonly lastStep?: number;
  readonly note: (text: string) => void;
  /** Rows as they lie in the file, and as loggers get them. */
  readonly rows: { readonly parse: ParseRow<Row>; readonly logged: (row: Row) => LoggedRow };
}

/** Opens metrics.jsonl in the run folder (of a part: `metrics/<part>.jsonl`), and the loggers. */
export async function openRunLog<Row extends MetricsRow | LoggedRow>(
  facts: LoggedFacts,
  { loggers, lastStep, note, rows: { parse, logged } }: RunLogOptions<Row>,
): Promise<RunLog<Row>> {
  const path = metricsPath(facts);
  if (lastStep !== undefined) await truncateAfter(path, lastStep, parse);
  await rm(join(facts.folder, FAILURE_NAME), { force: true });
  const metrics = openMetrics(path);
  try {
    async function* rows() {
      for await (const row of readRows(path, parse)) yield logged(row);
    }
    const run = loggedRun(facts, lastStep === undefined ? undefined : { lastStep, rows });
    const told = await startLoggers(openLoggers(loggers), run, note);
    let hasEnded = false;
    const end = async (how: LoggedEnd) => {
      hasEnded = true;
      await told.end(how);
    };
    return {
      write(row) {
        metrics.write(row);
        told.log(logged(row));
      },
      end,
      async fail(error) {
        const { message = String(error) } = error as Error;
        await end({ state: "failed", summary: { failure: message } });
        await recordFailure(facts.folder, error);
        return error;
      },
      async close() {
        if (!hasEnded) await end({ state: "interrupted", summary: {} });
        metrics.close();
      },
    };
  } catch (error) {
    metrics.close();
    throw error;
  }
}

/** Leaves the message of what ended a run in failure.json, until its next start. */
export async function recordFailure(folder: string, error: unknown): Promise<void> {
  const { message = String(error) } = error as Error;
  const text = `${JSON.stringify({ at: new Date().toISOString(), message }, null, 2)}\n`;
  // what failed may be the disk: then the error itself is what counts
  await writeFileAtomic(join(folder, FAILURE_NAME), text).catch(() => {});
}

/** Tells loggers the figures that a run came to whose trainings they have heard of as parts. */
export async function tellResult(
  facts: LoggedFacts,
  {
    loggers,
    note,
    summary,
  }: Pick<RunLogOptions<never>, "loggers" | "note"> & { readonly summary: LoggedEnd["summary"] },
): Promise<void> {
  const told = await startLoggers(openLoggers(loggers), loggedRun(facts, undefined), note);
  await told.end({ state: "done", summary });
}

export const metricsPath = ({ folder, part }: Pick<LoggedFacts, "folder" | "part">): string =>
  part === undefined ? join(folder, METRICS_NAME) : join(folder, "metrics", `${part}.jsonl`);

function loggedRun(facts: LoggedFacts, resumed: LoggedRun["resumed"]): LoggedRun {
  const { kind, folder, whole, part, record, settings, tags } = facts;
  const own = basename(resolve(folder));
  const group = whole === undefined ? (part === undefined ? undefined : own) : basename(resolve(whole));
  return {
    // runs of versions that gave none have their beginning
    id: digest(`${record.id ?? record.created} ${part ?? ""}`),
    kind,
    name: [...(whole === undefined ? [] : [group]), own, ...(part === undefined ? [] : [part])].join("/"),
    group,
    folder,
    part,
    settings: { ...settings },
    tags: [kind, ...tags],
    created: record.created,
    resumed,
  };
}

const digest = (text: string): string => createHash("sha256").update(text).digest("hex").slice(0, 32);
