// The caches below a folder: of which upstream, of which recordings, how large, when used last; and which to remove.
import { readdir, rm, rmdir, stat } from "node:fs/promises";
import { dirname, join, resolve, sep } from "node:path";
import { diskError } from "../../files.ts";
import { type KeptProgram, listPrograms, removeProgram } from "../../runtime/xla/kept-programs.ts";
import { LOCK_NAME, lockIfFree } from "../../training/lock.ts";
import { isRemains, readDescription } from "./cache-index.ts";
import { type CacheFacts, DESCRIPTION_NAME } from "./layout.ts";
import { readShard, shardNumber } from "./shard.ts";
import { isMark, usersOf } from "./uses.ts";

export interface CacheInfo {
  readonly folder: string;
  /** null: its description is damaged. */
  readonly upstream: { readonly name: string; readonly kind: string } | null;
  readonly dtype: CacheFacts["dtype"] | null;
  /** Recordings, and the folder that holds all of them; null where there is none. */
  readonly files: number;
  readonly corpus: string | null;
  readonly bytes: number;
  /** ISO 8601. */
  readonly lastUse: string;
  /** Processes that fill or read it. */
  readonly users: readonly string[];
}

/** Folders of caches are named by the beginning of a fingerprint. */
const FOLDER = /^[0-9a-f]{16}$/;

/** The caches below `root`, the longest unused first. A root that is not there has none. */
export async function listCaches(root: string): Promise<CacheInfo[]> {
  const names = await readdir(root).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw diskError(error, root);
  });
  const found: CacheInfo[] = [];
  for (const name of names.filter((name) => FOLDER.test(name))) {
    const info = await describeCache(join(root, name));
    if (info) found.push(info);
  }
  return found.sort((a, b) => (a.lastUse < b.lastUse ? -1 : a.lastUse > b.lastUse ? 1 : a.folder < b.folder ? -1 : 1));
}

const isOurs = (name: string) =>
  name === DESCRIPTION_NAME ||
  name.startsWith(LOCK_NAME) ||
  isMark(name) ||
  shardNumber(name) !== undefined ||
  isRemains(name);

async function describeCache(folder: string): Promise<CacheInfo | undefined> {
  const names = (await readdir(folder).catch(() => [] as string[])).filter(isOurs);
  if (!names.includes(DESCRIPTION_NAME) && !names.some((name) => shardNumber(name) !== undefined)) return undefined;
  let [bytes, used] = [0, 0];
  for (const name of names) {
    const info = await stat(join(folder, name)).catch(() => undefined);
    bytes += info?.size ?? 0;
    // of a cache without description, the last shard
    if (info && (name === DESCRIPTION_NAME || !names.includes(DESCRIPTION_NAME))) used = Math.max(used, info.mtimeMs);
  }
  const facts = await readDescription(folder);
  const paths = facts ? await recordingsIn(folder, names, facts) : new Set<string>();
  return {
    folder,
    upstream: facts ? { name: facts.upstream.name, kind: facts.upstream.kind } : null,
    dtype: facts?.dtype ?? null,
    files: paths.size,
    corpus: commonFolder(paths),
    bytes,
    lastUse: new Date(used).toISOString(),
    users: await usersOf(folder),
  };
}

async function recordingsIn(folder: string, names: readonly string[], facts: CacheFacts): Promise<Set<string>> {
  const paths = new Set<string>();
  for (const number of names.filter((name) => name.endsWith(".json")).map(shardNumber)) {
    const shard = number === undefined ? "" : await readShard(folder, number, facts);
    if (typeof shard !== "string") for (const { path } of shard.entries) paths.add(path);
  }
  return paths;
}

function commonFolder(paths: ReadonlySet<string>): string | null {
  let common: string[] | undefined;
  for (const path of paths) {
    const parts = dirname(path).split(sep);
    const differs = common?.findIndex((part, i) => part !== parts[i]) ?? -1;
    common = common === undefined ? parts : differs < 0 ? common : common.slice(0, differs);
  }
  return common ? common.join(sep) || sep : null;
}

export interface PruneOptions {
  /** Only caches not used for so many milliseconds. */
  readonly olderThanMs?: number;
  /** Only caches of more bytes. */
  readonly largerThan?: number;
  /** Only as many, the longest unused first, as leave at most so many bytes in all. */
  readonly keep?: number;
  /** Says what would be removed. */
  readonly dryRun?: boolean;
  /** Default: the clock. */
  readonly now?: number;
  /** Where compiled programs lie that go by the same rules; default: none do. */
  readonly programFolder?: string;
}

export interface Pruned {
  readonly removed: readonly CacheInfo[];
  readonly kept: readonly CacheInfo[];
  readonly programs: { readonly removed: readonly KeptProgram[]; readonly kept: readonly KeptProgram[] };
  readonly freedBytes: number;
}

/** Which caches the options name; those in use are none of them. `caches`: the longest unused first. */
export function chooseCaches<C extends Pick<CacheInfo, "bytes" | "lastUse" | "users">>(
  caches: readonly C[],
  options: PruneOptions,
): C[] {
  const { olderThanMs = 0, largerThan = -1, keep, now = Date.now() } = options;
  let total = caches.reduce((sum, { bytes }) => sum + bytes, 0);
  return caches.filter(({ users, lastUse, bytes }) => {
    if (users.length > 0 || bytes <= largerThan || now - Date.parse(lastUse) < olderThanMs) return false;
    if (keep !== undefined && total <= keep) return false;
    total -= bytes;
    return true;
  });
}

/**
 * Removes what `chooseCaches` chooses among the caches below `root`, each under its lock, and the compiled programs.
 * A cache that was taken into use meanwhile stays.
 */
export async function pruneCaches(root: string, options: PruneOptions): Promise<Pruned> {
  const caches = await listCaches(resolve(root));
  const programs = options.programFolder === undefined ? [] : await listPrograms(options.programFolder);
  const all = [...caches, ...programs.map((program) => ({ ...program, users: [] }))];
  const chosen = chooseCaches(
    all.sort((a, b) => (a.lastUse < b.lastUse ? -1 : a.lastUse > b.lastUse ? 1 : 0)),
    options,
  );
  const gone = new Set<string>();
  for (const item of chosen) {
    const place = placeOf(item);
    if (options.dryRun || (await ("path" in item ? removeProgram(item) : removeCache(place)))) gone.add(place);
  }
  const split = <T extends CacheInfo | KeptProgram>(items: readonly T[]) => ({
    removed: items.filter((item) => gone.has(placeOf(item))),
    kept: items.filter((item) => !gone.has(placeOf(item))),
  });
  return {
    ...split(caches),
    programs: split(programs),
    freedBytes: all.reduce((sum, item) => sum + (gone.has(placeOf(item)) ? item.bytes : 0), 0),
  };
}

const placeOf = (item: CacheInfo | KeptProgram): string => ("path" in item ? item.path : item.folder);

/** Removes what is a cache's in its folder, and the folder where nothing else lies in it. False: it is in use. */
async function removeCache(folder: string): Promise<boolean> {
  const lock = await lockIfFree(folder);
  if (!lock) return false;
  try {
    if ((await usersOf(folder, "readers")).length > 0) return false;
    const names = (await readdir(folder)).filter((name) => isOurs(name) && !name.startsWith(LOCK_NAME));
    // indices first: a file without one is nobody's
    for (const name of names.sort((a, b) => Number(b.endsWith(".json")) - Number(a.endsWith(".json"))))
      await rm(join(folder, name), { force: true });
  } catch (error) {
    throw diskError(error, folder);
  } finally {
    await lock.release();
  }
  await rmdir(folder).catch(() => {});
  return true;
}
