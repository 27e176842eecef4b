// Where a cache lies and what it needs: its folder is named by all that its numbers depend on except the audio.

import { createHash } from "node:crypto";
import { join } from "node:path";
import { cacheOf } from "../../cache-root.ts";
import { framesOfSamples } from "../../upstream/frames.ts";
import type { Upstream } from "../../upstream/upstream.ts";
import type { FeatureDtype } from "./cache.types.ts";

/** Raised when caches of an earlier version cannot be read. */
const CACHE_FORMAT = 2;

/** A cache folder's description; its time is that of the last use. */
export const DESCRIPTION_NAME = "cache.json";

export const BYTES_OF: Record<FeatureDtype, number> = { float16: 2, float32: 4 };

/** What the numbers of a cache have in common. */
export interface CacheFacts {
  readonly format: number;
  /** SHA-256 over upstream, format and dtype. */
  readonly fingerprint: string;
  readonly dtype: FeatureDtype;
  readonly upstream: Pick<
    Upstream,
    "name" | "kind" | "fingerprint" | "layers" | "dim" | "samplesPerFrame" | "minSamples" | "parameters"
  >;
}

/** $STILLWAVE_CACHE, else $XDG_CACHE_HOME/stillwave/features, else ~/.cache/stillwave/features. */
export function defaultCacheRoot(env: Readonly<Record<string, string | undefined>> = process.env): string {
  return env.STILLWAVE_CACHE || cacheOf("features", env);
}

export function cacheFacts(upstream: Upstream, dtype: FeatureDtype): CacheFacts {
  const { name, kind, fingerprint, gainDb, layers, dim, samplesPerFrame, minSamples, parameters } = upstream;
  const framing = { samplesPerFrame, minSamples };
  const depends = { format: CACHE_FORMAT, upstream: fingerprint, gainDb, layers, dim, ...framing, dtype };
  return {
    format: CACHE_FORMAT,
    fingerprint: createHash("sha256").update(JSON.stringify(depends)).digest("hex"),
    dtype,
    upstream: { name, kind, fingerprint, layers, dim, ...framing, parameters },
  };
}

/** The folder of a cache below `root`. */
export const cacheFolder = (root: string, { fingerprint }: CacheFacts): string => join(root, fingerprint.slice(0, 16));

/** Bytes of the states of a file of `samples`. */
export function stateBytes({ upstream, dtype }: CacheFacts, samples: number): number {
  const { layers, dim } = upstream;
  return layers.length * framesOfSamples(samples, upstream) * dim * BYTES_OF[dtype];
}
