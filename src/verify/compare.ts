// Comparing computed with recorded tensors, kind by kind.
import { StillwaveError } from "../errors.ts";
import { type HostArray, sizeOf } from "../graph/array.ts";
import { differenceOf } from "../upstream/difference.ts";

/** Differences of one kind of tensor (hidden states, gradients, ...): the largest over its tensors, and all that fail. */
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
  /** Every tensor beyond the tolerance, in the order of the case. */
  readonly failed: readonly TensorDifference[];
}

export interface TensorDifference {
  readonly name: string;
  readonly maxAbsolute: number;
  /** As `measure` of its kind says. */
  readonly relative: number;
}

/** `l2`: |a - b| / |b|. `largest`: max |a - b| / max |b|. `share`: how many of the entries differ. */
type Measure = "l2" | "largest" | "share";

export interface Pair {
  readonly name: string;
  readonly computed: HostArray;
  readonly recorded: HostArray;
}

/**
 * The differences of tensors of one kind, in a list; an empty one where the case records none of that kind.
 * @throws StillwaveError naming every tensor of another shape than recorded
 */
export function compareKind(
  kind: string,
  pairs: readonly Pair[],
  measure: "l2" | "largest",
  tolerance: number,
): Difference[] {
  const misshapen = pairs.filter(({ computed, recorded }) => computed.shape.join() !== recorded.shape.join());
  if (misshapen.length > 0)
    throw new StillwaveError(
      misshapen
        .map(
          ({ name, computed, recorded }) =>
            `${name}: computed [${computed.shape.join(", ")}], recorded [${recorded.shape.join(", ")}]`,
        )
        .join("; "),
    );
  const found = pairs.map(({ name, computed, recorded }): TensorDifference => {
    const { maxAbsolute, maxRelative, relativeL2 } = differenceOf(computed, recorded);
    return { name, maxAbsolute, relative: measure === "l2" ? relativeL2 : maxRelative };
  });
  if (found.length === 0) return [];
  // what is no number is worse than any
  const worst = found.reduce((most, one) =>
    one.relative <= most.relative || Number.isNaN(most.relative) ? most : one,
  );
  const failed = found.filter(({ relative }) => !(relative <= tolerance));
  return [
    {
      kind,
      tensors: pairs.length,
      maxAbsolute: Math.max(...found.map(({ maxAbsolute }) => maxAbsolute)),
      maxRelative: worst.relative,
      measure,
      worst: worst.name,
      tolerance,
      passed: failed.length === 0,
      failed,
    },
  ];
}

/** `layer.0`, `layer.1`, ... */
export const numbered = <T>(prefix: string, values: readonly T[]): Record<string, T> =>
  Object.fromEntries(values.map((value, i) => [`${prefix}.${i}`, value]));

/** Axes `axis` and `axis + 1` exchanged. */
export function swapAxes({ shape, data }: HostArray, axis: number): HostArray {
  const [a, b] = [shape[axis], shape[axis + 1]];
  const inner = sizeOf(shape.slice(axis + 2));
  const turned = new Float32Array(data.length);
  for (let from = 0; from < data.length / inner; from++) {
    const [outer, i, j] = [Math.floor(from / (a * b)), Math.floor(from / b) % a, from % b];
    turned.set(data.subarray(from * inner, (from + 1) * inner), ((outer * b + j) * a + i) * inner);
  }
  return { shape: [...shape.slice(0, axis), b, a, ...shape.slice(axis + 2)], data: turned };
}
