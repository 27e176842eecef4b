// Hidden states of a search as unit vectors: standardised over all frames of queries and documents, so that products are cosines.

const LEAST_DEVIATION = 1e-9;

/** Of every dimension. */
export interface Standard {
  readonly mean: Float64Array;
  readonly deviation: Float64Array;
}

/** Sums over frames that come in pieces, of differences from the first frame, which keeps them small. */
export class FrameMoments {
  private readonly origin: Float64Array;
  private readonly sums: Float64Array;
  private readonly squares: Float64Array;
  private frames = 0;

  constructor(dim: number) {
    this.origin = new Float64Array(dim);
    this.sums = new Float64Array(dim);
    this.squares = new Float64Array(dim);
  }

  copy(): FrameMoments {
    const copy = new FrameMoments(this.sums.length);
    for (const part of ["origin", "sums", "squares"] as const) copy[part].set(this[part]);
    copy.frames = this.frames;
    return copy;
  }

  /** Adds rows [frames, dim]. */
  add(rows: Float32Array): void {
    const { origin, sums, squares } = this;
    const dim = origin.length;
    if (this.frames === 0) origin.set(rows.subarray(0, dim));
    for (let at = 0; at < rows.length; at += dim)
      for (let d = 0; d < dim; d++) {
        const difference = rows[at + d] - origin[d];
        sums[d] += difference;
        squares[d] += difference * difference;
      }
    this.frames += rows.length / dim;
  }

  /** Deviations with n - 1, as PyTorch has them. */
  standard(): Standard {
    const { origin, sums, squares, frames } = this;
    return {
      mean: origin.map((from, d) => from + sums[d] / frames),
      deviation: squares.map((square, d) => {
        const variance = (square - (sums[d] * sums[d]) / frames) / Math.max(1, frames - 1);
        return Math.max(LEAST_DEVIATION, Math.sqrt(Math.max(0, variance)));
      }),
    };
  }
}

/**
 * Writes rows [frames, dim] into `into` from `at` on, standardised and of length 1. False where a row has no direction: it is the
 * mean itself, and no distance from it is defined.
 */
export function writeUnitRows(
  rows: Float32Array,
  { mean, deviation }: Standard,
  into: Float32Array,
  at: number,
): boolean {
  const dim = mean.length;
  const row = new Float64Array(dim);
  for (let from = 0; from < rows.length; from += dim) {
    let square = 0;
    for (let d = 0; d < dim; d++) {
      const value = (rows[from + d] - mean[d]) / deviation[d];
      row[d] = value;
      square += value * value;
    }
    if (square === 0) return false;
    const scale = 1 / Math.sqrt(square);
    for (let d = 0; d < dim; d++) into[at + from + d] = row[d] * scale;
  }
  return true;
}
