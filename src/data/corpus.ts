// Opens a corpus: lists its files, reads their lengths, sets bad ones aside, fingerprints the rest.
import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { type AudioProbe, MIN_SAMPLES, probeHeader, SAMPLE_RATE_HZ } from "../audio/index.ts";
import { StillwaveError, UsageError, unknownName } from "../errors.ts";
import { BadFiles, type OnBadFile, reasonOf } from "./bad-files.ts";
import type { Corpus, CorpusKind, CorpusSource, Listed, Utterance } from "./corpus.types.ts";
import { IndexCache } from "./index-cache.ts";
import { detectSource, listFolder, listLibrispeech } from "./list/folders.ts";
import { listManifest } from "./list/manifest.ts";
import { probeInWorkers } from "./pool.ts";

export interface OpenCorpusOptions {
  /** `stop`: any bad file is an error; `skip`: they are left out and listed in `badFiles`. */
  readonly onBadFile: OnBadFile;
  /** Shorter files are bad; default 400, one frame of the usual conv front end. */
  readonly minSamples?: number;
  /** Takes only the first files by id. */
  readonly maxUtterances?: number;
  /** Threads for files whose length only decoding tells (MP3, M4A); default one less than the cores; 0: none. */
  readonly workers?: number;
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
  const minSamples = options.minSamples ?? MIN_SAMPLES;
  const cache = await IndexCache.open(options.cacheFile);
  const bad = new BadFiles();
  const probed = await probeAll(listed, options, cache, bad);
  const utterances: Utterance[] = [];
  const hash = createHash("sha256");
  let totalSamples = 0;
  for (const [i, { declaredSamples, ...entry }] of listed.entries()) {
    const found = probed[i];
    if (!found) continue;
    const { samples16k: samples, channels, sampleRateHz } = found.probe;
    const problem = lengthProblem(samples, minSamples, declaredSamples, sampleRateHz);
    if (problem) bad.add(entry.path, problem);
    else {
      utterances.push({ ...entry, samples });
      totalSamples += samples;
      hash.update(`${JSON.stringify(entry.id)} ${found.bytes} ${samples} ${channels} ${sampleRateHz}\n`);
    }
  }
  await cache.save();
  const badFiles = bad.sorted();
  if (options.onBadFile === "stop") bad.throwIfAny(listed.length);
  if (utterances.length === 0) {
    throw new StillwaveError(`${source.path}: none of its ${listed.length} audio files can be used\n${bad.describe()}`);
  }
  const { kind, path: root } = detected;
  const totalSeconds = totalSamples / SAMPLE_RATE_HZ;
  return { kind, root, utterances, badFiles, fingerprint: hash.digest("hex"), totalSeconds, warnings: cache.warnings };
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

function lengthProblem(
  samples: number,
  minSamples: number,
  declared: number | undefined,
  rateHz: number,
): string | undefined {
  if (samples < minSamples) return `too short: ${samples} samples at 16 kHz, at least ${minSamples} are needed`;
  if (declared === undefined || rateHz !== SAMPLE_RATE_HZ || declared === samples) return undefined;
  return `the manifest says ${declared} samples, the file has ${samples}; make the manifest again`;
}

interface Probed {
  readonly probe: AudioProbe;
  readonly bytes: number;
}

/** Lengths of all files, in order; undefined where a file is bad. */
async function probeAll(
  listed: readonly Listed[],
  options: OpenCorpusOptions,
  cache: IndexCache,
  bad: BadFiles,
): Promise<(Probed | undefined)[]> {
  const probed: (Probed | undefined)[] = new Array(listed.length);
  const undecided: { index: number; bytes: number; mtimeMs: number }[] = [];
  let next = 0;
  let done = 0;
  const progress = () => options.onProgress?.(++done, listed.length);
  const one = async (index: number) => {
    const { path } = listed[index];
    const info = await stat(path).catch((error: NodeJS.ErrnoException) =>
      bad.add(path, error.code === "ENOENT" ? "no such file" : error.message),
    );
    if (!info) return progress();
    const { size: bytes, mtimeMs } = info;
    try {
      const known = cache.get(path, bytes, mtimeMs);
      const probe = known ?? (await probeHeader(path));
      if (!probe) return void undecided.push({ index, bytes, mtimeMs });
      if (!known) cache.set(path, bytes, mtimeMs, probe);
      probed[index] = { probe, bytes };
    } catch (error) {
      bad.add(path, reasonOf(error, path));
    }
    progress();
  };
  const lane = async () => {
    while (next < listed.length) await one(next++);
  };
  await Promise.all(Array.from({ length: Math.min(PARALLEL_PROBES, listed.length) }, lane));
  if (undecided.length > 0) {
    const workers = options.workers ?? Math.max(1, availableParallelism() - 1);
    const paths = undecided.map(({ index }) => listed[index].path);
    const results = await probeInWorkers(paths, workers, progress);
    for (const [i, { index, bytes, mtimeMs }] of undecided.entries()) {
      const result = results[i];
      if ("reason" in result) bad.add(paths[i], result.reason);
      else {
        probed[index] = { probe: result, bytes };
        cache.set(paths[i], bytes, mtimeMs, result);
      }
    }
  }
  return probed;
}
