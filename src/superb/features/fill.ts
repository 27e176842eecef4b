// Fills a cache: under its lock, what is missing is found, announced and extracted.
import { statfs } from "node:fs/promises";
import { SAMPLE_RATE_HZ } from "../../audio/index.ts";
import { describeBad } from "../../data/bad-files.ts";
import type { BadFile } from "../../data/index.ts";
import { StillwaveError } from "../../errors.ts";
import { diskError, isDiskFull, makeFolder } from "../../files.ts";
import { stepsOfAll } from "../../processes/shares.ts";
import { lockWhenFree, type RunLock } from "../../training/lock.ts";
import { type AudioSource, contentKey, type FeatureEvent, type FeatureOptions } from "./cache.types.ts";
import { type CacheIndex, cleanFolder, readIndex } from "./cache-index.ts";
import { shareOutFilling, shareOutNothing } from "./filling-together.ts";
import { stateBytes } from "./layout.ts";
import { removeShard } from "./shard.ts";
import { type Extraction, shardSteps } from "./shard-steps.ts";

/** Left free beyond what the states take: indices, and room for others. */
const SPARE_BYTES = 2 ** 26;
const REMEDIES =
  "--dtype float16 takes half of float32, --states heads or layers keeps fewer of them, --one-state 2000 keeps their weighted sum alone where a head is trained, --cache <folder> puts them on another disk, --no-cache extracts them whenever they are needed, which takes no room and much time";

/** A cache that is being filled. */
export interface CacheJob extends Extraction {
  /** One for every file. */
  readonly sources: readonly AudioSource[];
  readonly freeBytes?: FeatureOptions["freeBytes"];
}

export interface Filled {
  readonly index: CacheIndex;
  readonly bad: readonly BadFile[];
}

/**
 * Extracts what is missing, under the folder's lock. `drop`: a shard whose content proved damaged. Stopped by the signal, or
 * by an error, it keeps what is extracted. Returns what is there then.
 */
export async function* fillCache(job: CacheJob, drop?: number): AsyncGenerator<FeatureEvent, Filled, undefined> {
  const { folder, facts, sources } = job;
  await makeFolder(folder);
  const lock = yield* waitingForLock(job);
  if (!lock) return { index: await readIndex(folder, facts), bad: [] };
  const bad: BadFile[] = [];
  try {
    if (lock.takenOver) yield { kind: "note", text: `${folder}: took over ${lock.takenOver}` };
    if (drop !== undefined) await removeShard(folder, drop);
    const { damaged } = await readIndex(folder, facts);
    for (const { number, reason } of damaged)
      yield { kind: "note", text: `${folder}: shard ${number} is left out: ${reason}; its states are extracted again` };
    const index = await cleanFolder(folder, facts, sources);
    const missing = sources.filter((source) => !index.entries.has(contentKey(source)));
    if (missing.length > 0) {
      const first = index.shards.reduce((last, { number }) => Math.max(last, number), -1) + 1;
      yield await announce(job, missing);
      bad.push(...(yield* writeShards(job, missing, first)));
    } else await shareOutNothing(job.group);
    return { index: await readIndex(folder, facts), bad };
  } catch (error) {
    if (isDiskFull(error))
      throw new StillwaveError(`${folder}: no room is left on its disk; ${REMEDIES}`, { cause: error });
    throw diskError(error, folder, "; --cache <folder> puts the states elsewhere");
  } finally {
    await lock.release();
  }
}

/** The lock of the folder as soon as nobody else fills it; undefined where the signal came first. */
async function* waitingForLock({
  folder,
  signal,
}: CacheJob): AsyncGenerator<FeatureEvent, RunLock | undefined, undefined> {
  const waiting = lockWhenFree(folder, signal);
  for (;;) {
    const { done, value } = await waiting.next();
    if (done) return value;
    const { pid, host, since } = value;
    const when = since ? ` since ${since.replace("T", " ").slice(0, 16)} UTC` : "";
    yield {
      kind: "note",
      text: `${folder}: process ${pid} on ${host} has been filling this cache${when}; waiting for it (Ctrl-C stops)`,
    };
  }
}

/**
 * What is about to be extracted.
 * @throws StillwaveError where there is no room for it
 */
async function announce(job: CacheJob, missing: readonly AudioSource[]): Promise<FeatureEvent> {
  const { folder, facts, sources, freeBytes = freeOnDisk } = job;
  const total = (some: readonly AudioSource[]) =>
    some.reduce((sum, { samples }) => sum + stateBytes(facts, samples), 0);
  const bytes = total(missing);
  const free = await freeBytes(folder);
  if (bytes + SPARE_BYTES > free)
    throw new StillwaveError(
      `${folder}: the hidden states of ${missing.length} files take ${size(bytes)} (${facts.upstream.layers.length} of ${facts.upstream.dim} ${facts.dtype} values every ${facts.upstream.samplesPerFrame} samples), and ${size(free)} are free there (${size(SPARE_BYTES)} are to stay free); ${REMEDIES}`,
    );
  return {
    kind: "cache-start",
    folder,
    utterances: sources.length,
    alreadyThere: sources.length - missing.length,
    bytes,
    bytesThere: total(sources) - bytes,
    states: facts.upstream.layers.length,
    freeBytes: free,
    seconds: missing.reduce((sum, { samples }) => sum + samples, 0) / SAMPLE_RATE_HZ,
  };
}

async function freeOnDisk(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}

const size = (bytes: number) => (bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`);

async function* writeShards(
  job: CacheJob,
  missing: readonly AudioSource[],
  first: number,
): AsyncGenerator<FeatureEvent, BadFile[], undefined> {
  const { folder, sources, group } = job;
  const began = performance.now();
  const bad: BadFile[] = [];
  let [files, samples, bytes] = [0, 0, 0];
  if (group) await shareOutFilling(group, job, { missing, first });
  for await (const step of stepsOfAll(shardSteps(job, missing, first), group)) {
    files += step.files;
    samples += step.samples;
    bytes += step.bytes;
    bad.push(...step.bad);
    for (const file of step.bad) yield { kind: "note", text: `left out: ${describeBad(file)}` };
    const seconds = samples / SAMPLE_RATE_HZ;
    const audioSecondsPerSecond = seconds / Math.max(1e-3, (performance.now() - began) / 1000);
    const done = sources.length - missing.length + files;
    yield { kind: "cache-batch", done, total: sources.length, seconds, audioSecondsPerSecond };
  }
  const finished = files + bad.length === missing.length;
  if (finished) yield { kind: "cache-done", folder, bytes, seconds: samples / SAMPLE_RATE_HZ };
  return bad;
}
