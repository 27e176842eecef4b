// One process per folder: a lock file that names its holder and is taken over when the holder is gone.
import { open, readFile, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { StillwaveError } from "../errors.ts";
import { diskError } from "../files.ts";
import { type Holder, lives, parseHolder, thisHolder } from "./holder.ts";

export const LOCK_NAME = "run.lock";

/** A lock file without content, or a guard, is held for milliseconds; older ones are remains. */
const STALE_AFTER_MS = 10_000;
/** A holder touches its lock so often; one on another machine that has not for so long is gone. */
const BEAT_MS = 10_000;
const SILENT_AFTER_MS = 120_000;
const POLL_MS = 500;

export interface RunLock {
  /** What a lock left by a dead process was, for a note to the user. */
  readonly takenOver: string | undefined;
  release(): Promise<void>;
}

/** A lock that another process holds. `holder`: undefined while it is being written. */
interface HeldLock {
  readonly path: string;
  readonly holder: Holder | undefined;
  /** Whether it is a process of another machine, of which only its touches of the lock can tell whether it lives. */
  readonly isElsewhere: boolean;
}

/**
 * Locks `folder`, which must exist.
 * @throws StillwaveError that names the process which holds it
 */
export async function lockFolder(folder: string): Promise<RunLock> {
  const found = await tryLock(folder);
  if ("release" in found) return found;
  const { path, holder, isElsewhere } = found;
  if (!holder)
    throw new StillwaveError(`${path}: another process is just starting here; wait for it or delete the file`);
  if (isElsewhere)
    throw new StillwaveError(
      `${path}: process ${holder.pid} on ${holder.host} holds this run; if it has ended, delete the file and try again`,
    );
  throw new StillwaveError(
    `${path}: process ${holder.pid} is working in this folder; wait for it or give another outDir`,
  );
}

/** Locks `folder`; undefined where another process holds it. */
export async function lockIfFree(folder: string): Promise<RunLock | undefined> {
  const found = await tryLock(folder);
  return "release" in found ? found : undefined;
}

/**
 * Locks `folder` as soon as no living process holds it; undefined where the signal came first. Yields every process that is
 * waited for. One on another machine counts as gone when it has not touched its lock for two minutes.
 */
export async function* lockWhenFree(
  folder: string,
  signal?: AbortSignal,
): AsyncGenerator<Holder, RunLock | undefined, undefined> {
  let known = "";
  let touched = { mtimeMs: 0, seenAt: 0 };
  for (;;) {
    const found = await tryLock(folder, known !== "" && performance.now() - touched.seenAt > SILENT_AFTER_MS);
    if ("release" in found) return found;
    const { path, holder } = found;
    const mtimeMs = await modified(path);
    const name = holder ? `${holder.host} ${holder.pid} ${holder.born}` : known;
    if (touched.mtimeMs !== mtimeMs || name !== known) touched = { mtimeMs, seenAt: performance.now() };
    if (holder && name !== known) yield holder;
    known = name;
    await setTimeout(POLL_MS, undefined, { signal }).catch(() => {});
    if (signal?.aborted) return undefined;
  }
}

/** The lock, or who holds it. `silent`: a holder on another machine counts as gone. */
async function tryLock(folder: string, silent = false): Promise<RunLock | HeldLock> {
  const path = join(folder, LOCK_NAME);
  const mine = await thisHolder();
  for (let attempt = 0; attempt < 20; attempt++) {
    if (await create(path, mine)) return held(path, mine, undefined);
    const takenOver = await takeOver(path, mine, silent);
    if (typeof takenOver === "string") return held(path, mine, takenOver);
    if (takenOver) return takenOver;
    await setTimeout(25);
  }
  throw new StillwaveError(`${path}: cannot be locked; another process keeps taking it`);
}

function held(path: string, mine: string, takenOver: string | undefined): RunLock {
  const beat = setInterval(() => {
    const now = new Date();
    utimes(path, now, now).catch(() => {});
  }, BEAT_MS).unref();
  return {
    takenOver,
    async release() {
      clearInterval(beat);
      if ((await readFile(path, "utf8").catch(() => "")) === mine) await rm(path, { force: true });
    },
  };
}

/**
 * Replaces a lock whose holder is gone, and says what it was; who holds it where the holder lives. A second lock file guards
 * this, for two processes that find the same dead lock must not remove each other's new one: whoever has the guard judges and
 * replaces, and a living holder's lock is never replaced by anybody. undefined: somebody was faster, try again.
 */
async function takeOver(path: string, mine: string, silent: boolean): Promise<string | HeldLock | undefined> {
  const guard = `${path}.takeover`;
  if (!(await create(guard, mine))) {
    const age = Date.now() - (await modified(guard));
    if (age > STALE_AFTER_MS) await rm(guard, { force: true });
    return undefined;
  }
  try {
    const text = await readFile(path, "utf8").catch(() => undefined);
    if (text === undefined) return undefined;
    const reason = await staleReason(path, text, silent);
    if (typeof reason !== "string") return reason;
    await rm(path, { force: true });
    return (await create(path, mine)) ? reason : undefined;
  } finally {
    await rm(guard, { force: true });
  }
}

/** Milliseconds of a file's last change; now where it is gone. */
const modified = (path: string): Promise<number> =>
  stat(path).then(
    ({ mtimeMs }) => mtimeMs,
    () => Date.now(),
  );

async function create(path: string, text: string): Promise<boolean> {
  let made = false;
  try {
    const file = await open(path, "wx");
    made = true;
    try {
      await file.writeFile(text);
    } finally {
      await file.close();
    }
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    if (made) await rm(path, { force: true }).catch(() => {});
    throw diskError(error, path);
  }
}

/** Why the lock is no longer held, or who holds it. */
async function staleReason(path: string, text: string, silent: boolean): Promise<string | HeldLock> {
  const holder = parseHolder(text);
  if (!holder) {
    // A lock without content is being written, or its writer was killed before it could.
    if (Date.now() - (await modified(path)) < STALE_AFTER_MS) return { path, holder, isElsewhere: false };
    return "an unfinished lock file";
  }
  const living = await lives(holder);
  if (living === "unknown" && silent) return `the lock of process ${holder.pid} on ${holder.host}, which gives no sign`;
  if (living) return { path, holder, isElsewhere: living === "unknown" };
  return `the lock of process ${holder.pid}, which has ended`;
}
