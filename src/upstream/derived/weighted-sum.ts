// An upstream whose hidden states are added up with fixed weights: one state, which takes a fraction of the room of all.
import { createHash } from "node:crypto";
import type { HostArray } from "../../graph/array.ts";
import type { UtteranceStates } from "../frames.ts";
import type { Upstream } from "../upstream.ts";

/** How hidden states become one. */
export interface StateSum {
  /** For every state, adding up to 1. */
  readonly weights: readonly number[];
  /** Each frame of each state is brought to mean 0 and variance 1 first (LayerNorm without parameters). */
  readonly normalize: boolean;
}

/** Variance added by PyTorch's layer_norm. */
const NORM_EPSILON = 1e-5;

/** `upstream` with the sum of its states for its one state. Disposing of it disposes of `upstream`. */
export function summedUpstream(upstream: Upstream, sum: StateSum): Upstream {
  const { dim, fingerprint } = upstream;
  return {
    ...upstream,
    layers: ["weighted sum"],
    stages: undefined,
    fingerprint: createHash("sha256")
      .update(JSON.stringify([fingerprint, sum.weights, sum.normalize]))
      .digest("hex"),
    async extract(waves) {
      const states = await upstream.extract(waves);
      return states.map(({ frames, data }): UtteranceStates => {
        const layers = sum.weights.map((_, i) => data.subarray(i * frames * dim, (i + 1) * frames * dim));
        return { frames, data: addedUp(layers, dim, sum) };
      });
    },
    async *windows(recording, settings, multiple) {
      for await (const { span, arrays } of upstream.windows(recording, settings, multiple)) {
        const [{ shape }] = arrays;
        const data = addedUp(
          arrays.map((array) => array.data),
          dim,
          sum,
        );
        yield { span, arrays: [{ shape, data } satisfies HostArray] };
      }
    },
  };
}

/** Of states [frames, dim]. */
function addedUp(states: readonly Float32Array[], dim: number, { weights, normalize }: StateSum): Float32Array {
  const out = new Float32Array(states[0].length);
  for (const [i, state] of states.entries())
    for (let from = 0; from < out.length; from += dim) {
      const { mean, scale } = normalize ? momentsOf(state, from, dim) : { mean: 0, scale: 1 };
      for (let at = from; at < from + dim; at++) out[at] += weights[i] * scale * (state[at] - mean);
    }
  return out;
}

function momentsOf(state: Float32Array, from: number, dim: number) {
  let sum = 0;
  for (let at = from; at < from + dim; at++) sum += state[at];
  const mean = sum / dim;
  let squares = 0;
  for (let at = from; at < from + dim; at++) squares += (state[at] - mean) ** 2;
  return { mean, scale: 1 / Math.sqrt(squares / dim + NORM_EPSILON) };
}
