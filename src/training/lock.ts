// One process per run folder: a lock file that names its holder and is taken over when the holder is gone.
import { open, readFile, rm, stat } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { StillwaveError } from "../errors.ts";
import { diskError } from "../files.ts";

export const LOCK_NAME = "run.lock";

/** A lock file without content, or a guard, is held for milliseconds; older ones are remains. */
const STALE_AFTER_MS = 10_000;

/** Who holds the lock. `born` tells a process from a later one with the same number (Linux; empty elsewhere). */
interface Holder {
  readonly pid: number;
  readonly host: string;
  readonly born: string;
}

export interface RunLock {
  /** What a lock left by a dead process was, for a note to the user. */
  readonly takenOver: string | undefined;
  release(): Promise<void>;
}

/**
 * Locks `folder`, which must exist.
 * @throws StillwaveError that names the process which holds it
 */
export async function lockFolder(folder: string): Promise<RunLock> {
  const path = join(folder, LOCK_NAME);
  const mine = JSON.stringify({ pid: process.pid, host: hostname(), born: await bornAt(process.pid) } satisfies Holder);
  for (let attempt = 0; attempt < 20; attempt++) {
    if (await create(path, mine)) return { takenOver: undefined, release: () => release(path, mine) };
    const takenOver = await takeOver(path, mine);
    if (takenOver !== undefined) return { takenOver, release: () => release(path, mine) };
    await setTimeout(25);
  }
  throw new StillwaveError(`${path}: cannot be locked; another process keeps taking it`);
}

/**
 * Replaces a lock whose holder is gone; throws where the holder is alive. A second lock file guards this, for two
 * processes that find the same dead lock must not remove each other's new one: whoever has the guard judges and replaces,
 * and a living holder's lock is never replaced by anybody. undefined: somebody was faster, try again.
 */
async function takeOver(path: string, mine: string): Promise<string | undefined> {
  const guard = `${path}.takeover`;
  if (!(await create(guard, mine))) {
    const age = Date.now() - (await modified(guard));
    if (age > STALE_AFTER_MS) await rm(guard, { force: true });
    return undefined;
  }
  try {
    const text = await readFile(path, "utf8").catch(() => undefined);
    if (text === undefined) return undefined;
    const reason = await staleReason(path, text);
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

async function release(path: string, mine: string): Promise<void> {
  if ((await readFile(path, "utf8").catch(() => "")) === mine) await rm(path, { force: true });
}

/** Why the lock is no longer held; throws where it is, or where that cannot be told. */
async function staleReason(path: string, text: string): Promise<string> {
  const holder = parseHolder(text);
  if (!holder) {
    // A lock without content is being written, or its writer was killed before it could.
    if (Date.now() - (await modified(path)) < STALE_AFTER_MS)
      throw new StillwaveError(`${path}: another process is just starting here; wait for it or delete the file`);
    return "an unfinished lock file";
  }
  const { pid, host, born } = holder;
  if (host !== hostname())
    throw new StillwaveError(
      `${path}: process ${pid} on ${host} holds this run; if it has ended, delete the file and try again`,
    );
  if (isAlive(pid) && (born === "" || born === (await bornAt(pid))))
    throw new StillwaveError(`${path}: process ${pid} is working in this folder; wait for it or give another outDir`);
  return `the lock of process ${pid}, which has ended`;
}

function parseHolder(text: string): Holder | undefined {
  try {
    const { pid, host, born } = JSON.parse(text) as Partial<Holder>;
    if (!Number.isSafeInteger(pid) || pid! < 1 || typeof host !== "string") return undefined;
    return { pid: pid!, host, born: typeof born === "string" ? born : "" };
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Start time of a process in clock ticks since boot (field 22 of /proc/pid/stat); empty where there is no /proc. */
async function bornAt(pid: number): Promise<string> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  return text.slice(text.lastIndexOf(")") + 2).split(" ")[19] ?? "";
}
