// MLflow: a file store that `mlflow ui` and its clients read, laid out as MLflow's FileStore writes it.
import { createHash } from "node:crypto";
import { appendFileSync, mkdirSync } from "node:fs";
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { userInfo } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parse, stringify } from "yaml";
import { StillwaveError } from "../../errors.ts";
import { diskError, writeFileAtomic } from "../../files.ts";
import { flatSettings, type LoggedEnd, type LoggedRow, type LoggedRun, type Logger } from "../logger.ts";

/** mlflow.entities.RunStatus, by how a run of ours ended. */
const STATUS = { running: 1, done: 3, failed: 4, interrupted: 5 } as const;
/** mlflow.entities.SourceType.LOCAL */
const LOCAL = 4;

/**
 * A run of the store that MLFLOW_TRACKING_URI names, by default `mlruns` in the run folder; its experiment is
 * MLFLOW_EXPERIMENT_NAME, by default `stillwave`. The metrics of a run that goes on are written anew from the rows that stay.
 */
export function mlflowLogger(): Logger {
  let store: RunStore | undefined;
  return {
    name: "mlflow",
    async start(run) {
      const root = storeOf(run, process.env.MLFLOW_TRACKING_URI);
      const experiment = await openExperiment(root, process.env.MLFLOW_EXPERIMENT_NAME || "stillwave");
      store = await openRun(join(root, experiment), experiment, run);
    },
    log: (row) => store?.append([row]),
    end: (end) => store?.end(end),
  };
}

/** @throws StillwaveError for a tracking server, which needs MLflow itself */
function storeOf({ folder }: LoggedRun, uri = ""): string {
  if (uri === "") return join(folder, "mlruns");
  if (uri.startsWith("file:")) return fileURLToPath(uri.replace(/^file:(?!\/\/)/, "file://"));
  if (/^[a-z][\w+-]+:/i.test(uri))
    throw new StillwaveError(
      `MLFLOW_TRACKING_URI is ${uri}, and only stores in folders are written; unset it, or name a folder`,
    );
  return resolve(uri);
}

/** The experiment's folder, which is its id: found by its name, made where there is none. */
async function openExperiment(root: string, name: string): Promise<string> {
  for (const id of await readdir(root).catch(() => [])) {
    const meta = await readFile(join(root, id, "meta.yaml"), "utf8").catch(() => "");
    if (meta !== "" && (parse(meta) as { name?: unknown } | null)?.name === name) return id;
  }
  // of the name alone: runs that begin together agree
  const digest = createHash("sha256").update(name).digest();
  const id = String(10n ** 17n + (digest.readBigUInt64BE() % (9n * 10n ** 17n)));
  const now = Date.now();
  await writeMeta(join(root, id), {
    artifact_location: pathToFileURL(join(resolve(root), id)).href,
    creation_time: now,
    experiment_id: id,
    last_update_time: now,
    lifecycle_stage: "active",
    name,
  });
  return id;
}

const writeMeta = (folder: string, meta: object): Promise<void> =>
  writeFileAtomic(join(folder, "meta.yaml"), stringify(meta, { singleQuote: true }));

interface RunStore {
  append(rows: Iterable<LoggedRow>): void;
  end(end: LoggedEnd): Promise<void>;
}

async function openRun(experimentFolder: string, experiment: string, run: LoggedRun): Promise<RunStore> {
  const folder = join(experimentFolder, run.id);
  const began = Date.parse(run.created);
  const meta = (status: number, ended: number | null) =>
    writeMeta(folder, {
      artifact_uri: pathToFileURL(resolve(folder, "artifacts")).href,
      end_time: ended,
      entry_point_name: "",
      experiment_id: experiment,
      lifecycle_stage: "active",
      run_id: run.id,
      run_name: run.name,
      source_name: "",
      source_type: LOCAL,
      source_version: "",
      start_time: began,
      status,
      tags: [],
      user_id: userName(),
    });
  await meta(STATUS.running, null);
  for (const part of ["artifacts", "tags", "params"]) await mkdir(join(folder, part), { recursive: true });
  for (const [name, value] of tagsOf(run)) await writeEntry(join(folder, "tags"), name, value);
  for (const [name, value] of flatSettings(run.settings)) await writeEntry(join(folder, "params"), name, String(value));
  const metrics = join(folder, "metrics");
  await rm(metrics, { recursive: true, force: true });
  await mkdir(metrics, { recursive: true });
  const { resumed } = run;
  let last = 0;
  const append = (rows: Iterable<LoggedRow>, at?: (row: LoggedRow) => number) => {
    for (const row of rows) last = row.step;
    appendMetrics(metrics, rows, at);
  };
  // the time of a row of an earlier start: as if nothing had come between
  if (resumed) for await (const rows of inPieces(resumed.rows())) append(rows, (row) => began + 1000 * row.seconds);
  return {
    append: (rows) => append(rows),
    async end({ state, summary }) {
      const entries = Object.entries(summary);
      const values = entries.flatMap(([name, value]): [string, number][] =>
        typeof value === "number" ? [[`summary/${name}`, value]] : [],
      );
      appendMetrics(metrics, [{ step: last, seconds: 0, values: Object.fromEntries(values) }]);
      for (const [name, value] of entries)
        if (typeof value !== "number") await writeEntry(join(folder, "tags"), `summary.${name}`, String(value));
      await meta(STATUS[state], Date.now());
    },
  };
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return "unknown";
  }
}

const tagsOf = ({ name, kind, group, tags, folder }: LoggedRun): [string, string][] => [
  ["mlflow.runName", name],
  ["mlflow.source.name", "stillwave"],
  ["mlflow.source.type", "LOCAL"],
  ["mlflow.user", userName()],
  ["stillwave.kind", kind],
  ["stillwave.folder", resolve(folder)],
  ...(group === undefined ? [] : [["stillwave.group", group] satisfies [string, string]]),
  ...tags.map((tag): [string, string] => {
    const at = tag.indexOf("=");
    return at > 0 ? [tag.slice(0, at), tag.slice(at + 1)] : [tag, ""];
  }),
];

/** What MLflow takes in a name, which is a path in its store. */
const validName = (name: string): string => name.replace(/[^\w\-. :/]/g, "_").replace(/^\/+|(^|\/)\.\.?(?=\/|$)/g, "_");

/** A value on one line: a store refuses others. */
const writeEntry = (folder: string, name: string, value: string): Promise<void> =>
  writeFileAtomic(join(folder, validName(name)), value.replace(/[\r\n]+/g, " "), false);

const PIECE_ROWS = 1000;

async function* inPieces(rows: AsyncIterable<LoggedRow>): AsyncGenerator<LoggedRow[], void, undefined> {
  const piece: LoggedRow[] = [];
  for await (const row of rows) {
    piece.push(row);
    if (piece.length === PIECE_ROWS) yield piece.splice(0);
  }
  if (piece.length > 0) yield piece;
}

/** As Python writes it. */
const formatFloat = (value: number): string =>
  Number.isNaN(value) ? "nan" : Number.isFinite(value) ? String(value) : value > 0 ? "inf" : "-inf";

/** Lines `<milliseconds> <value> <step>`, a file for each metric, with one write each. */
function appendMetrics(
  folder: string,
  rows: Iterable<LoggedRow>,
  at: (row: LoggedRow) => number = () => Date.now(),
): void {
  const texts = new Map<string, string>();
  for (const row of rows)
    for (const [name, value] of Object.entries(row.values)) {
      const line = `${Math.round(at(row))} ${formatFloat(value)} ${row.step}\n`;
      texts.set(name, (texts.get(name) ?? "") + line);
    }
  for (const [name, text] of texts) {
    const path = join(folder, validName(name));
    try {
      mkdirSync(dirname(path), { recursive: true });
      appendFileSync(path, text);
    } catch (error) {
      throw diskError(error, path);
    }
  }
}
