// Who reads a cache, and when it was used last: marks beside the shards, so that nobody removes what is in use.
import { readdir, readFile, rm, utimes } from "node:fs/promises";
import { join } from "node:path";
import { writeFileAtomic } from "../../files.ts";
import { lives, parseHolder, thisHolder } from "../../training/holder.ts";
import { LOCK_NAME } from "../../training/lock.ts";
import { DESCRIPTION_NAME } from "./layout.ts";

const MARK = /^use-\d+-\d+\.json$/;
let counter = 0;

export const isMark = (name: string): boolean => MARK.test(name);

/** Marks `folder` as used by this process until what it resolves to is called. A folder that cannot be written goes without. */
export async function markUse(folder: string): Promise<() => Promise<void>> {
  const path = join(folder, `use-${process.pid}-${counter++}.json`);
  await writeFileAtomic(path, await thisHolder()).catch(() => {});
  await touch(folder);
  return async () => {
    await rm(path, { force: true }).catch(() => {});
    await touch(folder);
  };
}

/** The time of the description is that of the last use. */
async function touch(folder: string): Promise<void> {
  const now = new Date();
  await utimes(join(folder, DESCRIPTION_NAME), now, now).catch(() => {});
}

/** The processes that read a cache, or also fill it, as far as can be told; those of other machines count. */
export async function usersOf(folder: string, which: "readers" | "all" = "all"): Promise<string[]> {
  const names = await readdir(folder).catch(() => [] as string[]);
  const users = new Set<string>();
  for (const name of names.filter((file) => isMark(file) || (which === "all" && file === LOCK_NAME))) {
    const holder = parseHolder(await readFile(join(folder, name), "utf8").catch(() => ""));
    if (holder && (await lives(holder))) users.add(`process ${holder.pid} on ${holder.host}`);
  }
  return [...users];
}

/** Removes the marks of processes that have ended. */
export async function removeOldMarks(folder: string): Promise<void> {
  for (const name of (await readdir(folder).catch(() => [] as string[])).filter(isMark)) {
    const holder = parseHolder(await readFile(join(folder, name), "utf8").catch(() => ""));
    if (!holder || !(await lives(holder))) await rm(join(folder, name), { force: true });
  }
}
