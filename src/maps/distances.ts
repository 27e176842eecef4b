// How alike the attention maps of two layers are: divergences of their rows, head by head, heads matched one to one.
import { InternalError } from "../errors.ts";
import type { HostArray } from "../graph/array.ts";
import { bestAssignment } from "../metrics/index.ts";

/** Of two layers, over all frames that were measured. */
export interface MapDistance {
  /** Jensen-Shannon divergence in bits, 0 to 1: mean over frames and matched heads. */
  readonly jensenShannon: number;
  /** Total variation, 0 to 1: half the sum of absolute differences; the same heads. */
  readonly totalVariation: number;
  /** For each head of the later layer, the head of the earlier one that it is matched with. */
  readonly heads: readonly number[];
}

/** p log2 p summed over a row, of each row: minus its entropy. */
function rowSums(map: Float32Array, frames: number, rows: readonly number[]): Float64Array {
  return Float64Array.from(rows, (row) => {
    let sum = 0;
    for (let key = 0; key < frames; key++) {
      const p = map[row * frames + key];
      if (p > 0) sum += p * Math.log2(p);
    }
    return sum;
  });
}

/** Sums over frames for every pair of layers and of their heads. */
export class MapDistances {
  readonly layers: number;
  readonly heads: number;
  private frames = 0;
  /** [later layer][earlier layer]: [later head, earlier head]. */
  private readonly divergences: Float64Array[][];
  private readonly variations: Float64Array[][];

  constructor(layers: number, heads: number) {
    const empty = () =>
      Array.from({ length: layers }, (_, later) =>
        Array.from({ length: later }, () => new Float64Array(heads * heads)),
      );
    this.layers = layers;
    this.heads = heads;
    this.divergences = empty();
    this.variations = empty();
  }

  /**
   * Adds an utterance: the map of every layer, [1, heads, query, key], in order. `queries` are the frames whose rows are compared.
   */
  add(maps: readonly HostArray[], queries: readonly number[]): void {
    const { heads, layers } = this;
    const frames = maps[0].shape[3];
    if (maps.length !== layers || maps.some(({ shape }) => shape.join() !== [1, heads, frames, frames].join()))
      throw new InternalError(`maps of shapes ${maps.map(({ shape }) => `[${shape}]`).join(" ")}`);
    const rowsOf = (head: number) => queries.map((query) => head * frames + query);
    const sums = maps.map(({ data }) =>
      Array.from({ length: heads }, (_, head) => rowSums(data, frames, rowsOf(head))),
    );
    for (let later = 1; later < layers; later++)
      for (let earlier = 0; earlier < later; earlier++) this.compare(maps, sums, { later, earlier, queries });
    this.frames += queries.length;
  }

  /** Of a layer and an earlier one, heads matched so that the divergence is least. */
  between(later: number, earlier: number): MapDistance {
    const { heads, frames } = this;
    const [divergences, variations] = [this.divergences[later][earlier], this.variations[later][earlier]];
    const at = (sums: Float64Array, a: number, b: number) => sums[a * heads + b] / frames;
    const gains = Array.from({ length: heads }, (_, a) =>
      Array.from({ length: heads }, (_, b) => Math.max(0, 1 - at(divergences, a, b))),
    );
    const matched = bestAssignment(gains);
    const mean = (sums: Float64Array) => matched.reduce((sum, b, a) => sum + at(sums, a, b), 0) / heads;
    return { jensenShannon: mean(divergences), totalVariation: mean(variations), heads: matched };
  }

  private compare(
    maps: readonly HostArray[],
    sums: readonly (readonly Float64Array[])[],
    { later, earlier, queries }: PlaceOfPair,
  ): void {
    const { heads } = this;
    const frames = maps[later].shape[3];
    const [p, q] = [maps[later].data, maps[earlier].data];
    for (let a = 0; a < heads; a++)
      for (let b = 0; b < heads; b++) {
        let [divergence, variation] = [0, 0];
        for (const [i, query] of queries.entries()) {
          const [first, second] = [(a * frames + query) * frames, (b * frames + query) * frames];
          let mixed = 0;
          for (let key = 0; key < frames; key++) {
            const [x, y] = [p[first + key], q[second + key]];
            const middle = (x + y) / 2;
            if (middle > 0) mixed += middle * Math.log2(middle);
            variation += Math.abs(x - y) / 2;
          }
          divergence += (sums[later][a][i] + sums[earlier][b][i]) / 2 - mixed;
        }
        this.divergences[later][earlier][a * heads + b] += divergence;
        this.variations[later][earlier][a * heads + b] += variation;
      }
  }
}

interface PlaceOfPair {
  readonly later: number;
  readonly earlier: number;
  readonly queries: readonly number[];
}
