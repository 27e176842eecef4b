// What a cache folder holds: its description, its whole shards, and what of it is of no use any more.
import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { filesOf, recordingKey } from "../../data/recording.ts";
import { StillwaveError } from "../../errors.ts";
import { makeFolder, writeFileAtomic } from "../../files.ts";
import { type AudioSource, type CacheEntry, contentKey, type Shard } from "./cache.types.ts";
import { type CacheFacts, DESCRIPTION_NAME } from "./layout.ts";
import { readShard, removeShard, shardNumber } from "./shard.ts";
import { removeOldMarks } from "./uses.ts";

/** An entry and the shard it lies in. */
export interface Located {
  readonly entry: CacheEntry;
  readonly shard: number;
}

/** The whole shards of a folder, and what was found wrong with others. */
export interface CacheIndex {
  readonly shards: readonly Shard[];
  /** By `contentKey`. */
  readonly entries: ReadonlyMap<string, Located>;
  readonly damaged: readonly { readonly number: number; readonly reason: string }[];
}

/** Reads what is there; changes nothing. A folder that does not exist is empty. */
export async function readIndex(folder: string, facts: CacheFacts): Promise<CacheIndex> {
  const names = await list(folder);
  const numbers = names.filter((file) => file.endsWith(".json")).map(shardNumber);
  const shards: Shard[] = [];
  const damaged: { number: number; reason: string }[] = [];
  for (const number of numbers.filter((found) => found !== undefined).sort((a, b) => a - b)) {
    const shard = await readShard(folder, number, facts);
    if (typeof shard === "string") damaged.push({ number, reason: shard });
    else shards.push(shard);
  }
  const entries = new Map<string, Located>();
  for (const shard of shards)
    for (const entry of shard.entries) entries.set(contentKey(entry), { entry, shard: shard.number });
  return { shards, entries, damaged };
}

async function list(folder: string): Promise<string[]> {
  return readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw new StillwaveError(`${folder}: cannot be read (${error.code}); give another folder with --cache`);
  });
}

/** Makes the folder and its description. Needs no lock: whoever writes it writes the same. Returns notes. */
export async function describeFolder(folder: string, facts: CacheFacts): Promise<string[]> {
  await makeFolder(folder);
  const path = join(folder, DESCRIPTION_NAME);
  const text = await readFile(path, "utf8").catch(() => undefined);
  const found = parse(text);
  if (found?.fingerprint === facts.fingerprint) return [];
  if (found?.fingerprint !== undefined)
    throw new StillwaveError(`${path}: describes features of another upstream; remove or rename the folder`);
  await writeFileAtomic(path, `${JSON.stringify(facts, undefined, 2)}\n`);
  return text === undefined ? [] : [`${path}: damaged, written again`];
}

/** What a folder says of itself; undefined where that is missing or damaged. */
export async function readDescription(folder: string): Promise<CacheFacts | undefined> {
  return parse(await readFile(join(folder, DESCRIPTION_NAME), "utf8").catch(() => undefined));
}

const description = z.object({
  format: z.int(),
  fingerprint: z.string().regex(/^[0-9a-f]{64}$/),
  dtype: z.enum(["float16", "float32"]),
  upstream: z.object({
    name: z.string(),
    kind: z.enum(["model", "onnx", "fbank", "mfcc"]),
    fingerprint: z.string(),
    layers: z.array(z.string()),
    dim: z.int(),
    samplesPerFrame: z.int(),
    // caches of format 1, which are listed and never read, lack it
    minSamples: z.int().default(0),
    parameters: z.int().nullable(),
  }),
});

function parse(text = ""): CacheFacts | undefined {
  try {
    return description.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** What a write that was cut off left. */
export const isRemains = (file: string): boolean => /^\.(shard-|cache\.json|use-).*\.tmp$/.test(file);

/**
 * Removes what no run will read again: damaged shards, what a killed run left half-written, and shards that hold nothing but
 * files which have changed since. The caller holds the folder's lock. Returns the index of what is left.
 */
export async function cleanFolder(
  folder: string,
  facts: CacheFacts,
  sources: readonly AudioSource[],
): Promise<CacheIndex> {
  const { shards, damaged } = await readIndex(folder, facts);
  const stamp = ({ bytes, mtimeMs }: AudioSource) => `${bytes} ${mtimeMs}`;
  const files = (source: AudioSource) => filesOf(source).join("\0");
  const stamps = new Map(sources.map((source) => [files(source), stamp(source)]));
  const current = new Map(sources.map((source) => [recordingKey(source), contentKey(source)]));
  const differs = (found: string | undefined, own: string) => found !== undefined && found !== own;
  const isOutdated = (entry: CacheEntry) =>
    differs(stamps.get(files(entry)), stamp(entry)) || differs(current.get(recordingKey(entry)), contentKey(entry));
  const outdated = ({ entries }: Shard) => entries.every(isOutdated);
  for (const number of [...damaged.map(({ number }) => number), ...shards.filter(outdated).map(({ number }) => number)])
    await removeShard(folder, number);
  await removeOldMarks(folder);
  const names = new Set(await list(folder));
  for (const file of names) {
    const number = shardNumber(file);
    const orphan = number !== undefined && !names.has(file.replace(/\.bin$/, ".json"));
    if (orphan || isRemains(file)) await rm(join(folder, file), { force: true });
  }
  return readIndex(folder, facts);
}
