// The benchmark's baselines as upstreams: log mel filterbanks and MFCC, one layer of 10 ms frames.
import { createHash } from "node:crypto";
import { fbank, mfcc, SUPERB_FBANK, SUPERB_MFCC } from "../audio/index.ts";
import { BATCH_SECONDS, type Upstream, upstreamOf } from "./upstream.ts";
import { LONG_WINDOW_SECONDS } from "./windows/plan.ts";

/** Raised when the numbers that the same options give change. */
const ALGORITHM_VERSION = 1;
/** One frame of 25 ms. */
const MIN_SAMPLES = 400;

const BASELINES = {
  fbank: { compute: fbank, options: SUPERB_FBANK, dim: 240 },
  mfcc: { compute: mfcc, options: SUPERB_MFCC, dim: 39 },
} as const;

/** `fbank` or `mfcc` as SUPERB has them; nothing to load. */
export function filterbankUpstream(name: "fbank" | "mfcc"): Upstream {
  const { compute, options, dim } = BASELINES[name];
  const settings = { kind: name, version: ALGORITHM_VERSION, options };
  const facts = {
    name,
    kind: name,
    fingerprint: createHash("sha256").update(JSON.stringify(settings)).digest("hex"),
    layers: [name],
    dim,
    samplesPerFrame: 160,
    parameters: null,
    minSamples: MIN_SAMPLES,
    batchSeconds: BATCH_SECONDS,
    windowSeconds: LONG_WINDOW_SECONDS,
  };
  return upstreamOf(facts, async (waves) => {
    const computed = waves.map((wave) => compute(wave, options));
    const frames = computed.map((one) => one.frames);
    const time = Math.max(...frames);
    const data = new Float32Array(waves.length * time * dim);
    for (const [item, one] of computed.entries()) data.set(one.data, item * time * dim);
    return { arrays: [{ shape: [waves.length, time, dim], data }], frames };
  });
}
