// Which layers should compute their attention maps, and whose map the others should take over, so that least is lost.

/** A pattern of reuse, as recipes say it, and what it loses: the sum over layers of the distance to the map they take over. */
export interface ReusePattern {
  readonly attentionFrom: readonly number[];
  readonly loss: number;
}

/** Distance of layer `later`'s map from that of layer `earlier`. */
export type MapLoss = (later: number, earlier: number) => number;

/** More layers are not searched one set after another. */
const MOST_SEARCHED = 24;

/** What a pattern loses. */
export const lossOf = (attentionFrom: readonly number[], loss: MapLoss): number =>
  attentionFrom.reduce((sum, source, layer) => (source === layer ? sum : sum + loss(layer, source)), 0);

/**
 * The best pattern in which a layer takes the map of the last one before it that computes (as in arXiv:2305.11685), for 1 to
 * `layers` computing layers: an exact dynamic programme over where blocks begin.
 */
export function bestBlocks(layers: number, loss: MapLoss): ReusePattern[] {
  /** best[k][end]: least loss of the first `end` layers in k blocks, and where the last of these begins. */
  const best: { readonly loss: number; readonly from: number }[][] = [[{ loss: 0, from: -1 }]];
  for (let k = 1; k <= layers; k++) {
    best.push([]);
    for (let end = k; end <= layers; end++) {
      let least = { loss: Number.POSITIVE_INFINITY, from: -1 };
      let block = 0;
      for (let from = end - 1; from >= k - 1; from--) {
        block = 0;
        for (let layer = from + 1; layer < end; layer++) block += loss(layer, from);
        const before = best[k - 1][from];
        if (before && before.loss + block < least.loss) least = { loss: before.loss + block, from };
      }
      best[k][end] = least;
    }
  }
  return Array.from({ length: layers }, (_, i) => {
    const attentionFrom: number[] = new Array(layers);
    for (let [k, end] = [i + 1, layers]; k > 0; k--) {
      const { from } = best[k][end];
      attentionFrom.fill(from, from, end);
      end = from;
    }
    return { attentionFrom, loss: best[i + 1][layers].loss };
  });
}

/**
 * The best pattern in which a layer takes the map of any earlier one that computes, for 1 to `layers` computing layers: an exact
 * search through the sets of computing layers, which passes over those that cannot win. undefined above 24 layers.
 */
export function bestSources(layers: number, loss: MapLoss): ReusePattern[] | undefined {
  if (layers > MOST_SEARCHED) return undefined;
  const nearest = (layer: number, sources: readonly number[]): number =>
    sources.reduce((best, source) => (loss(layer, source) < loss(layer, best) ? source : best));
  /** What the layers from one on lose at least where `spared` of them compute: each its nearest of all earlier ones. */
  const least = Array.from({ length: layers }, (_, layer) =>
    layer === 0 ? 0 : loss(layer, nearest(layer, [...Array(layer).keys()])),
  );
  const bound = (from: number, spared: number): number => {
    const rest = least.slice(from).sort((a, b) => a - b);
    return rest.slice(0, rest.length - spared).reduce((sum, one) => sum + one, 0);
  };
  return bestBlocks(layers, loss).map((block, i) => {
    let best: ReusePattern = block;
    const search = (attentionFrom: readonly number[], lost: number): void => {
      const layer = attentionFrom.length;
      const sources = attentionFrom.filter((source, own) => source === own);
      const left = i + 1 - sources.length;
      if (left > layers - layer || lost + bound(layer, left) >= best.loss) return;
      if (layer === layers) {
        best = { attentionFrom, loss: lost };
        return;
      }
      if (left > 0) search([...attentionFrom, layer], lost);
      const source = nearest(layer, sources);
      search([...attentionFrom, source], lost + loss(layer, source));
    };
    search([0], 0);
    return best;
  });
}
