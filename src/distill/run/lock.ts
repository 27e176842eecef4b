// One process per run folder: a lock file that names its holder and is taken over when the holder is gone.
import { open, readFile, rename, rm, stat } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { StillwaveError } from "../../errors.ts";

export const lockName = "run.lock";

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

/** Locks `folder`, which must exist. Throws a StillwaveError that names the process which holds it. */
export async function lockFolder(folder: string): Promise<RunLock> {
  const path = join(folder, lockName);
  const mine = JSON.stringify({ pid: process.pid, host: hostname(), born: await bornAt(process.pid) } satisfies Holder);
  let takenOver: string | undefined;
  for (let attempt = 0; attempt < 20; attempt++) {
    if (await create(path, mine)) return { takenOver, release: () => release(path, mine) };
    const text = await readFile(path, "utf8").catch(() => undefined);
    if (text === undefined) continue;
    const stale = await staleReason(path, text);
    // Of two processes that find the same stale lock only one can rename it; what it got must be what it judged.
    const aside = `${path}.${process.pid}.stale`;
    const moved = await rename(path, aside).then(
      () => true,
      () => false,
    );
    if (!moved) continue;
    if ((await readFile(aside, "utf8").catch(() => text)) !== text) await rename(aside, path);
    else {
      await rm(aside, { force: true });
      takenOver = stale;
    }
  }
  throw new StillwaveError(`${path}: cannot be locked; another process keeps taking it`);
}

async function create(path: string, text: string): Promise<boolean> {
  try {
    const file = await open(path, "wx");
    try {
      await file.writeFile(text);
    } finally {
      await file.close();
    }
    return true;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") return false;
    throw new StillwaveError(`${path}: cannot be created (${code ?? message}); the run folder must be writable`);
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
    const age =
      Date.now() -
      (await stat(path).then(
        ({ mtimeMs }) => mtimeMs,
        () => 0,
      ));
    if (age < 10_000)
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
