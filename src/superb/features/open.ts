// Opens the hidden states of a set of utterances: from a cache, which is filled first, or as they are needed.
import { realpath, stat } from "node:fs/promises";
import { resolve } from "node:path";
import { littleEndianHost } from "../../checkpoint/index.ts";
import { BadFiles, describeBad } from "../../data/bad-files.ts";
import type { BadFile } from "../../data/index.ts";
import { filesOf, partOf, type RecordingPart, recordingKey } from "../../data/recording.ts";
import { InternalError, StillwaveError, UsageError, unknownName } from "../../errors.ts";
import {
  type AudioSource,
  contentKey,
  type FeatureEvent,
  type FeatureOptions,
  type FeatureUtterance,
  type LeftOut,
  type OpenedFeatures,
} from "./cache.types.ts";
import { describeFolder, readIndex } from "./cache-index.ts";
import { cachedSource } from "./cached-source.ts";
import type { FeatureSource } from "./features.types.ts";
import { type CacheJob, fillCache } from "./fill.ts";
import { shareOutNothing } from "./filling-together.ts";
import { cacheFacts, cacheFolder, defaultCacheRoot } from "./layout.ts";
import { streamFeatures, unusableFiles } from "./streamed-source.ts";
import { markUse } from "./uses.ts";

const PARALLEL_STATS = 64;

/**
 * Opens the states of `utterances`. Yields what happens; returns the source, or undefined where the signal stopped it first
 * (what is extracted by then stays). A file whose states are in the cache, unchanged since, is not read.
 */
export async function* openFeatures(
  options: FeatureOptions,
): AsyncGenerator<FeatureEvent, OpenedFeatures | undefined, undefined> {
  const { upstream, dtype = "float32", onBadFile = "stop", signal, workers = 1 } = options;
  if (dtype !== "float32" && dtype !== "float16") throw unknownName("dtype", String(dtype), ["float32", "float16"]);
  if (onBadFile !== "stop" && onBadFile !== "skip") throw unknownName("onBadFile", String(onBadFile), ["stop", "skip"]);
  const { files, bad: unfit, realOf } = await lookAt(options.utterances, upstream.minSamples);
  if (onBadFile === "stop") unfit.throwIfAny(options.utterances.length);
  const bad = unfit.sorted();
  for (const file of bad) yield { kind: "note", text: `left out: ${describeBad(file)}` };
  const usable = options.utterances.filter(({ id }) => files.has(id));
  if (options.cacheRoot === null) {
    // what is left out must be known before anything is trained: every file is gone through once
    const unusable =
      onBadFile === "skip" ? await unusableFiles(upstream, [...files.values()], { workers, signal }) : [];
    if (signal?.aborted) return undefined;
    for (const file of unusable) yield { kind: "note", text: `left out: ${describeBad(file)}` };
    const left = leftOut(options.utterances, [...bad, ...unusable], realOf);
    const without = new Set(left.map(({ id }) => id));
    const sound = usable.filter(({ id }) => !without.has(id));
    const source = streamFeatures(upstream, sound, { workers });
    return { source, leftOut: left, folder: null };
  }
  if (!littleEndianHost)
    throw new StillwaveError("caches of features need a little-endian machine; go without one (--no-cache)");
  const facts = cacheFacts(upstream, dtype);
  const folder = cacheFolder(resolve(options.cacheRoot ?? defaultCacheRoot()), facts);
  for (const text of await describeFolder(folder, facts)) yield { kind: "note", text };
  const sources = [...new Map([...files.values()].map((file) => [recordingKey(file), file])).values()];
  const { shardBytes, freeBytes, group } = options;
  const job: CacheJob = { folder, facts, upstream, sources, onBadFile, workers, signal, shardBytes, freeBytes, group };
  const release = await markUse(folder);
  let source: FeatureSource | undefined;
  try {
    source = yield* openCached(job, { files, bad, options, release });
  } finally {
    if (!source) await release();
  }
  return source && { source, leftOut: leftOut(options.utterances, bad, realOf), folder };
}

interface Wanted {
  readonly files: ReadonlyMap<string, AudioSource>;
  /** Grows by what cannot be extracted. */
  readonly bad: BadFile[];
  readonly options: FeatureOptions;
  /** Called when the source is closed. */
  readonly release: () => Promise<void>;
}

/** The source over a cache that is filled first; undefined where the signal stopped it. */
async function* openCached(
  job: CacheJob,
  { files, bad, options, release }: Wanted,
): AsyncGenerator<FeatureEvent, FeatureSource | undefined, undefined> {
  const { folder, facts, sources, signal } = job;
  let index = await readIndex(folder, facts);
  if (sources.some((source) => !index.entries.has(contentKey(source)))) {
    const filled = yield* fillCache(job);
    index = filled.index;
    bad.push(...filled.bad);
  } else await shareOutNothing(job.group);
  const unusable = new Set(bad.map((file) => absoluteKey(file)));
  const missing = sources.some(
    (source) => !unusable.has(recordingKey(source)) && !index.entries.has(contentKey(source)),
  );
  if (missing && signal?.aborted) return undefined;
  if (missing) throw new InternalError(`features: ${folder} lacks states that were extracted`);
  const readable = new Map([...files].filter(([, file]) => index.entries.has(contentKey(file))));
  const source = cachedSource({ folder, facts, files: readable, index, repair: repairing(job, readable, options) });
  return {
    ...source,
    async close() {
      await source.close();
      await release();
    },
  };
}

/** Makes a damaged shard again, with the files of this source. */
function repairing(job: CacheJob, files: ReadonlyMap<string, AudioSource>, { onNote }: FeatureOptions) {
  return async (shard: number, reason: string) => {
    onNote?.(`${job.folder}: shard ${shard} is damaged: ${reason}; its states are extracted again`);
    const sources = [...new Map([...files.values()].map((file) => [recordingKey(file), file])).values()];
    // a stopped source is closed by its owner; half a repair would only be noticed later
    const events = fillCache({ ...job, sources, onBadFile: "stop", signal: undefined, group: undefined }, shard);
    for (;;) {
      const { done, value } = await events.next();
      if (done) return value.index;
      if (value.kind === "note") onNote?.(value.text);
    }
  };
}

/** Files as they are now, by utterance, under their own names, whatever links lead to them; those that are not there or too short. */
async function lookAt(utterances: readonly FeatureUtterance[], minSamples: number) {
  const files = new Map<string, AudioSource>();
  const bad = new BadFiles();
  const known = new Map<string, Promise<Look | string>>();
  const lengths = new Map<string, number>();
  const reals = new Map<string, string>();
  const realOf: RealOf = (path) => reals.get(path) ?? resolve(path);
  const look = (path: string) =>
    Promise.all([stat(path), realpath(path)]).then(
      ([info, real]) => {
        reals.set(path, real);
        return info.isFile() ? info : "not a file";
      },
      (error: NodeJS.ErrnoException) => (error.code === "ENOENT" ? "no such file" : error.message),
    );
  for (let from = 0; from < utterances.length; from += PARALLEL_STATS) {
    const some = utterances.slice(from, from + PARALLEL_STATS);
    for (const path of some.flatMap(filesOf)) if (!known.has(path)) known.set(path, look(path));
    for (const utterance of some) {
      const { id, path, samples } = utterance;
      const looks = await Promise.all(filesOf(utterance).map((file) => known.get(file)!));
      const failure = looks.find((found) => typeof found === "string");
      const key = recordingKey(utterance);
      if ((lengths.get(key) ?? samples) !== samples)
        throw new UsageError(`${path}: given as ${lengths.get(key)} and as ${samples} samples; it has one length`);
      lengths.set(key, samples);
      if (files.has(id)) throw new UsageError(`features: two utterances have the id "${id}"; ids must be unique`);
      if (failure !== undefined) bad.add(path, failure, utterance);
      else if (samples < minSamples)
        bad.add(path, `too short: ${samples} samples at 16 kHz, at least ${minSamples} are needed`, utterance);
      else files.set(id, { ...partOf(utterance), path: realOf(path), samples, ...stampOf(looks.filter(isThere)) });
    }
  }
  return { files, bad, realOf };
}

/** The name of a file itself. */
type RealOf = (path: string) => string;

interface Look {
  readonly size: number;
  readonly mtimeMs: number;
}

const isThere = (found: Look | string): found is Look => typeof found !== "string";

/** Of a recording that takes several files: it changes when one of them does. */
const stampOf = (looks: readonly Look[]): Pick<AudioSource, "bytes" | "mtimeMs"> => ({
  bytes: looks.reduce((sum, { size }) => sum + size, 0),
  mtimeMs: Math.max(...looks.map(({ mtimeMs }) => mtimeMs)),
});

function leftOut(utterances: readonly FeatureUtterance[], bad: readonly BadFile[], realOf: RealOf): LeftOut[] {
  const reasons = new Map(bad.map((file) => [absoluteKey(file, realOf), file.reason]));
  return utterances.flatMap((utterance) => {
    const reason = reasons.get(absoluteKey(utterance, realOf));
    return reason === undefined ? [] : [{ id: utterance.id, ...partOf(utterance), reason }];
  });
}

const absoluteKey = (part: RecordingPart, realOf: RealOf = resolve): string =>
  recordingKey({ ...part, path: realOf(part.path) });
