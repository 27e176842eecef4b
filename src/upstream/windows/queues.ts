// What lies between the reading of a recording and its windows: samples and frames, read in order, held while they are needed.
import type { HostArray } from "../../graph/array.ts";

/** Samples of a recording by position, read once and in order; what lies before the last range asked for is forgotten. */
export class SampleQueue {
  private readonly pieces: AsyncIterator<Float32Array>;
  private held: Float32Array = new Float32Array(0);
  private start = 0;

  constructor(pieces: AsyncIterable<Float32Array>) {
    this.pieces = pieces[Symbol.asyncIterator]();
  }

  /** Samples from to `end`, a copy; undefined where there are not so many. */
  async range(from: number, end: number): Promise<Float32Array | undefined> {
    const parts = [this.held.subarray(Math.min(this.held.length, from - this.start))];
    let have = this.start + this.held.length;
    while (have < end) {
      const { done, value } = await this.pieces.next();
      if (done) return undefined;
      parts.push(value.subarray(Math.max(0, Math.min(value.length, from - have))));
      have += value.length;
    }
    const joined = new Float32Array(have - from);
    let at = 0;
    for (const part of parts) {
      joined.set(part, at);
      at += part.length;
    }
    [this.held, this.start] = [joined, from];
    return joined.slice(0, end - from);
  }

  async close(): Promise<void> {
    await this.pieces.return?.();
  }
}

/** Rows of frames in order; what lies before the last window taken is forgotten. */
export class FrameRows {
  private readonly dim: number;
  private readonly parts: Float32Array[] = [];
  private start = 0;
  /** Frames that have been added. */
  end = 0;

  constructor(dim: number) {
    this.dim = dim;
  }

  add(rows: Float32Array): void {
    this.parts.push(rows);
    this.end += rows.length / this.dim;
  }

  /** Frames from `start` to `end`, [1, end - start, dim]. */
  take(start: number, end: number): HostArray {
    const { dim, parts } = this;
    while (parts.length > 0 && this.start + parts[0].length / dim <= start)
      this.start += (parts.shift()?.length ?? 0) / dim;
    const data = new Float32Array((end - start) * dim);
    let at = this.start;
    for (const part of parts) {
      const [from, to] = [Math.max(start, at), Math.min(end, at + part.length / dim)];
      if (from < to) data.set(part.subarray((from - at) * dim, (to - at) * dim), (from - start) * dim);
      at += part.length / dim;
    }
    return { shape: [1, end - start, dim], data };
  }
}
