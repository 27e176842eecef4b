// Who reads a cache, and when it was used last: marks beside the shards, so that nobody removes what is in use.
import { readdir, readFile, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { writeFileAtomic } from "../../files.ts";
import { type Holder, lives, parseHolder, thisHolder } from "../../training/holder.ts";
import { LOCK_NAME } from "../../training/lock.ts";
import { DESCRIPTION_NAME } from "./layout.ts";

const MARK = /^use-\d+-\d+\.json$/;
/** A user touches its mark so often; one on another machine that has not for so long is gone. */
const BEAT_MS = 60_000;
const SILENT_AFTER_MS = 600_000;
let counter = 0;

export const isMark = (name: string): boolean => MARK.test(name);

/** Marks `folder` as used by this process until what it resolves to is called. A folder that cannot be written goes without. */
export async function markUse(folder: string): Promise<() => Promise<void>> {
  const path = join(folder, `use-${process.pid}-${counter++}.json`);
  await writeFileAtomic(path, await thisHolder()).catch(() => {});
  await touch(join(folder, DESCRIPTION_NAME));
  const beat = setInterval(() => void touch(path), BEAT_MS).unref();
  return async () => {
    clearInterval(beat);
    await rm(path, { force: true }).catch(() => {});
    await touch(join(folder, DESCRIPTION_NAME));
  };
}

/** The time of the description is that of the last use. */
async function touch(path: string): Promise<void> {
  const now = new Date();
  await utimes(path, now, now).catch(() => {});
}

/** The processes that read a cache, or also fill it, as far as can be told. */
export async function usersOf(folder: string, which: "readers" | "all" = "all"): Promise<string[]> {
  const names = await readdir(folder).catch(() => [] as string[]);
  const users = new Set<string>();
  for (const name of names.filter((file) => isMark(file) || (which === "all" && file === LOCK_NAME))) {
    const user = await userOf(join(folder, name));
    if (user) users.add(`process ${user.pid} on ${user.host}`);
  }
  return [...users];
}

/** Removes the marks of processes that have ended. */
export async function removeOldMarks(folder: string): Promise<void> {
  for (const name of (await readdir(folder).catch(() => [] as string[])).filter(isMark))
    if (!(await userOf(join(folder, name)))) await rm(join(folder, name), { force: true });
}

/** The living process that a mark or lock names. */
async function userOf(path: string): Promise<Holder | undefined> {
  const holder = parseHolder(await readFile(path, "utf8").catch(() => ""));
  const living = holder && (await lives(holder));
  if (living !== "unknown") return living ? holder : undefined;
  const info = await stat(path).catch(() => undefined);
  return info && Date.now() - info.mtimeMs < SILENT_AFTER_MS ? holder : undefined;
}
