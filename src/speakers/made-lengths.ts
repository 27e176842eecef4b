// Lengths of what is made of recordings: found by making it once, and remembered as long as the files stay as they are.
import { stat } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join, resolve } from "node:path";
import { cacheOf } from "../cache-root.ts";
import { IndexCache } from "../data/index-cache.ts";
import { probeInWorkers } from "../data/pool.ts";
import { filesOf, type RecordingPart, recordingKey } from "../data/recording.ts";

interface LengthOptions {
  /** Decoding threads; default: all cores but one. */
  readonly workers?: number;
  /** Where lengths are remembered; default: the user's cache. */
  readonly file?: string;
  readonly onProgress?: (done: number, total: number) => void;
}

/** Samples at 16 kHz of every recording, in order, or why there are none. */
export async function madeLengths(
  recordings: readonly RecordingPart[],
  { workers = Math.max(1, availableParallelism() - 1), file, onProgress }: LengthOptions = {},
): Promise<(number | { readonly reason: string })[]> {
  const cache = await IndexCache.open(file ?? join(cacheOf("lengths"), "made.json"));
  const lengths: (number | { readonly reason: string })[] = new Array(recordings.length);
  const unknown: { readonly place: number; readonly key: string; readonly bytes: number; readonly mtimeMs: number }[] =
    [];
  for (const [place, recording] of recordings.entries()) {
    const looks = await Promise.all(filesOf(recording).map((path) => stat(path).catch(() => undefined)));
    const bytes = looks.reduce((sum, look) => sum + (look?.size ?? 0), 0);
    const mtimeMs = Math.max(...looks.map((look) => look?.mtimeMs ?? 0));
    const key = recordingKey({ ...recording, path: resolve(recording.path) });
    const known = cache.get(key, bytes, mtimeMs);
    if (known) lengths[place] = known.samples;
    else unknown.push({ place, key, bytes, mtimeMs });
  }
  let done = recordings.length - unknown.length;
  const found = await probeInWorkers(
    unknown.map(({ place }) => recordings[place]),
    workers,
    () => onProgress?.(++done, recordings.length),
  );
  for (const [i, { place, key, bytes, mtimeMs }] of unknown.entries()) {
    const result = found[i];
    lengths[place] = "reason" in result ? result : result.samples16k;
    if (!("reason" in result)) cache.set(key, bytes, mtimeMs, result);
  }
  await cache.save();
  return lengths;
}
