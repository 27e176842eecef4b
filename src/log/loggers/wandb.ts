// Weights & Biases: an offline run, which `wandb sync` uploads.
import { closeSync, openSync, writeSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { StillwaveError } from "../../errors.ts";
import { diskError } from "../../files.ts";
import { packageVersion } from "../../package.ts";
import type { LoggedRow, LoggedRun, Logger } from "../logger.ts";
import { RecordLog, type WandbRun, wandbRecords } from "./wandb-records.ts";

/** Characters of a run's id, as W&B's own have. */
const ID_CHARACTERS = 8;

/**
 * `wandb/offline-run-<begin>-<id>/run-<id>.wandb` in WANDB_DIR, by default the run folder; project and entity are those of
 * WANDB_PROJECT (default `stillwave`) and WANDB_ENTITY. Rows of one step become one, as W&B has steps rise: a row is written when a
 * later step comes or the run ends. The file of a run that goes on is written anew from the rows that stay, and is no longer marked
 * as uploaded.
 */
export function wandbLogger(): Logger {
  let file: RunFile | undefined;
  return {
    name: "wandb",
    async start(run) {
      file = await openRunFile(run);
      const began = Date.parse(run.created) / 1000;
      // the time of a row of an earlier start: as if nothing had come between
      if (run.resumed) for await (const row of run.resumed.rows()) file.row(row, began + row.seconds);
    },
    log: (row) => file?.row(row, Date.now() / 1000),
    end({ state, summary }) {
      file?.end(summary, state);
      file = undefined;
    },
  };
}

/** `20261127_021121`, as the folders of W&B are called, in local time. */
function stamp(created: string): string {
  const date = new Date(created);
  const two = (value: number) => String(value).padStart(2, "0");
  const day = `${date.getFullYear()}${two(date.getMonth() + 1)}${two(date.getDate())}`;
  return `${day}_${two(date.getHours())}${two(date.getMinutes())}${two(date.getSeconds())}`;
}

interface RunFile {
  row(row: LoggedRow, unixSeconds: number): void;
  end(summary: Readonly<Record<string, unknown>>, state: "done" | "interrupted" | "failed"): void;
}

async function openRunFile(run: LoggedRun): Promise<RunFile> {
  const { WANDB_DIR, WANDB_PROJECT, WANDB_ENTITY } = process.env;
  const id = run.id.slice(0, ID_CHARACTERS);
  const folder = join(WANDB_DIR || run.folder, "wandb", `offline-run-${stamp(run.created)}-${id}`);
  const path = join(folder, `run-${id}.wandb`);
  try {
    await mkdir(join(folder, "files"), { recursive: true });
    await rm(`${path}.synced`, { force: true });
  } catch (error) {
    throw diskError(error, folder);
  }
  const about: WandbRun = {
    id,
    name: run.name,
    group: run.group ?? "",
    jobType: run.kind,
    project: WANDB_PROJECT || "stillwave",
    entity: WANDB_ENTITY ?? "",
    tags: ["stillwave", ...run.tags],
    host: hostname(),
    startMs: Date.parse(run.created),
    settings: run.settings,
    producer: packageVersion(),
  };
  return writeRunFile(path, about);
}

function writeRunFile(path: string, about: WandbRun): RunFile {
  const records = wandbRecords(about);
  const log = new RecordLog();
  let pending: { row: LoggedRow; unixSeconds: number } | undefined;
  let file: number | undefined;
  const write = (bytes: readonly Uint8Array[]) => {
    if (file === undefined) throw new StillwaveError(`${path}: the run has ended already`);
    try {
      for (const part of bytes) writeSync(file, part);
    } catch (error) {
      throw diskError(error, path);
    }
  };
  const flush = () => {
    if (pending) write([log.framed(records.history(pending.row, pending.unixSeconds))]);
    pending = undefined;
  };
  try {
    file = openSync(path, "w");
  } catch (error) {
    throw diskError(error, path);
  }
  write([log.begin(), log.framed(records.header()), log.framed(records.run())]);
  return {
    row(row, unixSeconds) {
      if (pending && pending.row.step === row.step)
        pending = { row: { ...row, values: { ...pending.row.values, ...row.values } }, unixSeconds };
      else {
        flush();
        pending = { row, unixSeconds };
      }
    },
    end(summary, state) {
      flush();
      write([log.framed(records.summary(summary))]);
      if (state !== "interrupted") write([log.framed(records.exit(state === "done" ? 0 : 1))]);
      if (file !== undefined) closeSync(file);
      file = undefined;
    },
  };
}
