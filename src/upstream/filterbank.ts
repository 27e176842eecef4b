// The benchmark's baselines as upstreams: log mel filterbanks and MFCC, one layer of 10 ms frames.
import { createHash } from "node:crypto";
import { fbank, mfcc, SUPERB_FBANK, SUPERB_MFCC } from "../audio/index.ts";
import type { FeatureUpstream } from "../superb/features/features.types.ts";
import { framesOfSamples, joinStates } from "../superb/features/frames.ts";
import { checkLengths } from "./lengths.ts";

export type FilterbankName = "fbank" | "mfcc";

/** Raised when the numbers that the same options give change. */
const ALGORITHM_VERSION = 1;
const SAMPLES_PER_FRAME = 160;
/** One frame of 25 ms. */
const MIN_SAMPLES = 400;
const BATCH_SECONDS = 60;

const BASELINES = {
  fbank: { compute: fbank, options: SUPERB_FBANK, dim: 240 },
  mfcc: { compute: mfcc, options: SUPERB_MFCC, dim: 39 },
} as const;

/** `fbank` or `mfcc` as SUPERB has them; nothing to load. */
export function filterbankUpstream(name: FilterbankName): FeatureUpstream {
  const { compute, options, dim } = BASELINES[name];
  const settings = { kind: name, version: ALGORITHM_VERSION, options };
  const layers = [name];
  return {
    name,
    kind: name,
    fingerprint: createHash("sha256").update(JSON.stringify(settings)).digest("hex"),
    layers,
    dim,
    samplesPerFrame: SAMPLES_PER_FRAME,
    parameters: null,
    minSamples: MIN_SAMPLES,
    batchSeconds: BATCH_SECONDS,
    async extract(waves) {
      checkLengths(waves, MIN_SAMPLES, name);
      return waves.map((wave) => {
        const { data, frames: there } = compute(wave, options);
        const frames = framesOfSamples(wave.length, SAMPLES_PER_FRAME);
        const array = { shape: [there, dim], data };
        return joinStates([{ array, start: 0, frames: there }], { frames, dim, layers });
      });
    },
    async dispose() {},
  };
}
