// Comparing computed with recorded tensors, kind by kind.
import { StillwaveError } from "../errors.ts";
import type { HostArray } from "../graph/array.ts";

/** Differences of one kind of tensor (hidden states, gradients, ...): the largest over its tensors. */
export interface Difference {
  readonly kind: string;
  readonly tensors: number;
  readonly maxAbsolute: number;
  /** Relative L2 per tensor, or largest difference by largest recorded value, as `measure` says; the worst tensor's. */
  readonly maxRelative: number;
  readonly measure: Measure;
  readonly worst: string;
  readonly tolerance: number;
  readonly passed: boolean;
}

/** `l2`: |a - b| / |b|. `largest`: max |a - b| / max |b|. `share`: how many of the entries differ. */
export type Measure = "l2" | "largest" | "share";

export interface Pair {
  readonly name: string;
  readonly computed: HostArray;
  readonly recorded: HostArray;
}

function differenceOf({ name, computed, recorded }: Pair, measure: Measure) {
  if (computed.shape.join() !== recorded.shape.join())
    throw new StillwaveError(
      `${name}: computed [${computed.shape.join(", ")}], recorded [${recorded.shape.join(", ")}]`,
    );
  let absolute = 0;
  let largest = 0;
  let squares = 0;
  let reference = 0;
  for (let i = 0; i < recorded.data.length; i++) {
    const difference = Math.abs(computed.data[i] - recorded.data[i]);
    // NaN must not pass: a comparison with it is false everywhere else.
    if (Number.isNaN(difference)) return { absolute: Number.NaN, relative: Number.POSITIVE_INFINITY };
    absolute = Math.max(absolute, difference);
    largest = Math.max(largest, Math.abs(recorded.data[i]));
    squares += difference ** 2;
    reference += recorded.data[i] ** 2;
  }
  const relative = measure === "l2" ? Math.sqrt(squares / reference) : absolute / largest;
  return { absolute, relative: absolute === 0 ? 0 : relative };
}

/** The worst differences over tensors of one kind; undefined where the case records none of that kind. */
export function compareKind(
  kind: string,
  pairs: readonly Pair[],
  measure: Measure,
  tolerance: number,
): Difference | undefined {
  if (pairs.length === 0) return undefined;
  let maxAbsolute = 0;
  let maxRelative = -1;
  let worst = "";
  for (const pair of pairs) {
    const { absolute, relative } = differenceOf(pair, measure);
    maxAbsolute = Math.max(maxAbsolute, absolute);
    if (relative > maxRelative) [maxRelative, worst] = [relative, pair.name];
  }
  return {
    kind,
    tensors: pairs.length,
    maxAbsolute,
    maxRelative,
    measure,
    worst,
    tolerance,
    passed: maxRelative <= tolerance,
  };
}

/** `layer.0`, `layer.1`, ... */
export const numbered = <T>(prefix: string, values: readonly T[]): Record<string, T> =>
  Object.fromEntries(values.map((value, i) => [`${prefix}.${i}`, value]));

/** [batch, channels, time] as [batch, time, channels]. */
export function channelsLast({ shape, data }: HostArray): HostArray {
  const [batch, channels, time] = shape as [number, number, number];
  const turned = new Float32Array(data.length);
  for (let b = 0; b < batch; b++)
    for (let c = 0; c < channels; c++)
      for (let t = 0; t < time; t++) turned[(b * time + t) * channels + c] = data[(b * channels + c) * time + t];
  return { shape: [batch, time, channels], data: turned };
}

/** [heads, batch, query, key] as [batch, heads, query, key]. */
export function batchFirst({ shape, data }: HostArray): HostArray {
  const [heads, batch, query, key] = shape as [number, number, number, number];
  const size = query * key;
  const turned = new Float32Array(data.length);
  for (let h = 0; h < heads; h++)
    for (let b = 0; b < batch; b++)
      turned.set(data.subarray((h * batch + b) * size, (h * batch + b + 1) * size), (b * heads + h) * size);
  return { shape: [batch, heads, query, key], data: turned };
}
