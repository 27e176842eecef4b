// How well a query is found inside a document: an alignment that begins and ends anywhere in it.
// dtw-python's step pattern "asymmetric", every frame of the query used once, as the benchmark has it.

/** Below this difference a query frame is as far from every document frame. */
const LEAST_RANGE = 1e-9;

/** Memory of alignments, as long as the longest document so far. */
export class Aligner {
  private before = new Float64Array(0);
  private now = new Float64Array(0);

  /**
   * Smallest mean distance along a path, from cosines [queryFrames, documentFrames] at `at`, `stride` apart. Distances are
   * exp(1 - cosine) - 1, scaled to 0..1 over the document for each query frame. A path takes each query frame in turn and
   * stays, goes one document frame on, or two.
   */
  cost(cosines: Float32Array | Float64Array, place: CosinePlace): number {
    const { at, stride, queryFrames, documentFrames: frames } = place;
    if (this.now.length < frames) {
      this.before = new Float64Array(frames);
      this.now = new Float64Array(frames);
    }
    let [before, now] = [this.before, this.now];
    for (let i = 0; i < queryFrames; i++) {
      [before, now] = [now, before];
      const row = at + i * stride;
      let [nearest, farthest] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
      for (let j = 0; j < frames; j++) {
        const distance = Math.exp(1 - cosines[row + j]) - 1;
        now[j] = distance;
        if (distance < nearest) nearest = distance;
        if (distance > farthest) farthest = distance;
      }
      const scale = 1 / Math.max(farthest - nearest, LEAST_RANGE);
      for (let j = 0; j < frames; j++) now[j] = (now[j] - nearest) * scale;
      if (i === 0) continue;
      now[0] += before[0];
      if (frames > 1) now[1] += Math.min(before[1], before[0]);
      for (let j = 2; j < frames; j++) {
        const near = before[j] < before[j - 1] ? before[j] : before[j - 1];
        now[j] += before[j - 2] < near ? before[j - 2] : near;
      }
    }
    let least = Number.POSITIVE_INFINITY;
    for (let j = 0; j < frames; j++) if (now[j] < least) least = now[j];
    return least / queryFrames;
  }
}

/** Where the cosines of a query and a document lie in a matrix of several. */
export interface CosinePlace {
  readonly at: number;
  readonly stride: number;
  readonly queryFrames: number;
  readonly documentFrames: number;
}
