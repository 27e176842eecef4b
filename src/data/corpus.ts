// Opens a corpus: lists its files, reads their lengths, sets bad ones aside, fingerprints the rest.
import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { type AudioProbe, MIN_SAMPLES, probeHeader, SAMPLE_RATE_HZ } from "../audio/index.ts";
import { StillwaveError, UsageError, unknownName } from "../errors.ts";
import { BadFiles, type OnBadFile, reasonOf } from "./bad-files.ts";
import type { Corpus, CorpusKind, CorpusSource, Listed, Utterance } from "./corpus.types.ts";
import { describeNotes } from "./file-notes.ts";
import { IndexCache } from "./index-cache.ts";
import { detectSource, listFolder, listLibrispeech } from "./list/folders.ts";
import { listManifest } from "./list/manifest.ts";
import { probeInWorkers } from "./pool.ts";
import { fitTo } from "./span.ts";

export interface OpenCorpusOptions {
  /** `stop`: any bad file is an error; `skip`: they are left out and listed in `badFiles`. */
  readonly onBadFile: OnBadFile;
  /** Shorter files are bad; default 400, one frame of the usual conv front end. */
  readonly minSamples?: number;
  /** Takes only the first files by id. */
  readonly maxUtterances?: number;
  /** Threads for files whose length only decoding tells (MP3, M4A); default one less than the cores; 0: none. */
  readonly workers?: number;
  /** Order of the utterances: by id (default), or as the list has them. */
  readonly order?: "id" | "listed";
  readonly onProgress?: (done: number, total: number) => void;
  /** File that remembers lengths, by path, size and modification time. */
  readonly cacheFile?: string;
}

/** Open files at a time while headers are read. */
const PARALLEL_PROBES = 32;

/**
 * Opens a corpus. Only headers are read where these tell the length; samples are checked when they are decoded.
 * @throws StillwaveError for a missing folder or split, a malformed manifest, bad files under `stop`, or nothing left.
 */
export async function openCorpus(source: CorpusSource, options: OpenCorpusOptions): Promise<Corpus> {
  if (options.onBadFile !== "stop" && options.onBadFile !== "skip") {
    throw unknownName("onBadFile", String(options.onBadFile), ["stop", "skip"]);
  }
  const max = options.maxUtterances ?? Number.POSITIVE_INFINITY;
  if (!(max >= 1)) throw new UsageError(`maxUtterances: expected at least 1, got ${max}`);
  const detected = await detectSource(source);
  const listed = (await list(detected)).slice(0, max);
  return { kind: detected.kind, ...(await openListed(source.path, listed, options)) };
}

/**
 * Opens recordings that are listed already, below `root`.
 * @throws StillwaveError for bad files under `stop`, or nothing left.
 */
export async function openListed(
  root: string,
  listed: readonly Listed[],
  options: OpenCorpusOptions,
): Promise<Omit<Corpus, "kind">> {
  const minSamples = options.minSamples ?? MIN_SAMPLES;
  const cache = await IndexCache.open(options.cacheFile);
  const bad = new BadFiles();
  const probed = await probeAll([...new Set(listed.map(({ path }) => path))], options, cache, bad);
  const utterances: Utterance[] = [];
  const hash = createHash("sha256");
  let totalSamples = 0;
  for (const entry of listed) {
    const found = probed.get(entry.path);
    if (!found) continue;
    const fit = fitTo(entry, found.probe, minSamples);
    if (typeof fit === "string") bad.add(entry.path, fit);
    else {
      const { samples, segment } = fit;
      const { span, declared, place, position, problem, ...recording } = entry;
      const { channels, sampleRateHz } = found.probe;
      const part = segment ? ` ${segment.start}+${segment.samples}` : "";
      utterances.push({ ...recording, ...fit });
      totalSamples += samples;
      hash.update(`${JSON.stringify(entry.id)} ${found.bytes} ${samples} ${channels} ${sampleRateHz}${part}\n`);
    }
  }
  if (options.order === "listed") {
    const positions = new Map(listed.map(({ id, position = 0 }) => [id, position]));
    utterances.sort((a, b) => (positions.get(a.id) ?? 0) - (positions.get(b.id) ?? 0));
  }
  await cache.save();
  const badFiles = bad.sorted();
  if (options.onBadFile === "stop") bad.throwIfAny(listed.length);
  if (utterances.length === 0) {
    throw new StillwaveError(`${root}: none of its ${listed.length} audio files can be used\n${bad.describe()}`);
  }
  const totalSeconds = totalSamples / SAMPLE_RATE_HZ;
  const notes = [...probed].flatMap(([path, { probe }]) =>
    probe.note === undefined ? [] : { path, note: probe.note },
  );
  const warnings = [...cache.warnings, ...describeNotes(notes)];
  return { root, utterances, badFiles, fingerprint: hash.digest("hex"), totalSeconds, warnings };
}

function list(source: CorpusSource & { kind: CorpusKind }): Promise<Listed[]> {
  const { kind, path, splits } = source;
  if (splits && splits.length === 0)
    throw new UsageError("splits: expected at least one name, or leave it out for all");
  if (kind === "librispeech") return listLibrispeech(path, splits);
  if (kind === "folder") return listFolder(path, splits);
  if (kind === "manifest") return listManifest(path, splits);
  throw unknownName("kind of corpus", String(kind), ["librispeech", "folder", "manifest"]);
}

interface Probed {
  readonly probe: AudioProbe;
  readonly bytes: number;
}

/** Lengths of all files; none of those that are bad. */
async function probeAll(
  paths: readonly string[],
  options: OpenCorpusOptions,
  cache: IndexCache,
  bad: BadFiles,
): Promise<Map<string, Probed>> {
  const probed = new Map<string, Probed>();
  const undecided: { path: string; bytes: number; mtimeMs: number }[] = [];
  let next = 0;
  let done = 0;
  const progress = () => options.onProgress?.(++done, paths.length);
  const one = async (path: string) => {
    const info = await stat(path).catch((error: NodeJS.ErrnoException) =>
      bad.add(path, error.code === "ENOENT" ? "no such file" : error.message),
    );
    if (!info) return progress();
    const { size: bytes, mtimeMs } = info;
    try {
      const known = cache.get(path, bytes, mtimeMs);
      const probe = known ?? (await probeHeader(path));
      if (!probe) return void undecided.push({ path, bytes, mtimeMs });
      if (!known) cache.set(path, bytes, mtimeMs, probe);
      probed.set(path, { probe, bytes });
    } catch (error) {
      bad.add(path, reasonOf(error, path));
    }
    progress();
  };
  const lane = async () => {
    while (next < paths.length) await one(paths[next++]);
  };
  await Promise.all(Array.from({ length: Math.min(PARALLEL_PROBES, paths.length) }, lane));
  if (undecided.length > 0) {
    const workers = options.workers ?? Math.max(1, availableParallelism() - 1);
    const results = await probeInWorkers(undecided, workers, progress);
    for (const [i, { path, bytes, mtimeMs }] of undecided.entries()) {
      const result = results[i];
      if ("reason" in result) bad.add(path, result.reason);
      else {
        probed.set(path, { probe: result, bytes });
        cache.set(path, bytes, mtimeMs, result);
      }
    }
  }
  return probed;
}
