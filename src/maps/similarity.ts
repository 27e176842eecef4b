// How alike the states of layers are, and groups of layers that are: what distillation of groups begins with.
import type { HostArray } from "../graph/array.ts";

/** Rows of a layer, [frames, dim], kept for comparison. */
interface Rows {
  readonly data: Float32Array;
  readonly dim: number;
}

/** K - row means - column means + mean, K being the products of rows with each other: [rows, rows]. */
function centredProducts({ data, dim }: Rows): Float64Array {
  const rows = data.length / dim;
  const products = new Float64Array(rows * rows);
  for (let a = 0; a < rows; a++)
    for (let b = 0; b <= a; b++) {
      let sum = 0;
      for (let i = 0; i < dim; i++) sum += data[a * dim + i] * data[b * dim + i];
      products[a * rows + b] = products[b * rows + a] = sum;
    }
  const means = Float64Array.from({ length: rows }, (_, a) => {
    let sum = 0;
    for (let b = 0; b < rows; b++) sum += products[a * rows + b];
    return sum / rows;
  });
  const mean = means.reduce((sum, one) => sum + one, 0) / rows;
  for (let a = 0; a < rows; a++) for (let b = 0; b < rows; b++) products[a * rows + b] += mean - means[a] - means[b];
  return products;
}

/**
 * Linear CKA of every pair of layers (arXiv:1905.00414), 0 to 1: 1 where the frames of one are those of the other up to rotation
 * and scale. `layers`: frames of each, in the same order.
 */
export function linearCka(layers: readonly Rows[]): number[][] {
  const products = layers.map(centredProducts);
  const inner = (a: Float64Array, b: Float64Array) => {
    let sum = 0;
    for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
    return sum;
  };
  const norms = products.map((one) => Math.sqrt(inner(one, one)));
  return products.map((a, i) => products.map((b, k) => (i === k ? 1 : inner(a, b) / (norms[i] * norms[k]))));
}

/** Rows `queries` of states [1, frames, dim], added to those that are kept. */
export function pickRows({ shape, data }: HostArray, queries: readonly number[]): Float32Array {
  const dim = shape[2];
  const picked = new Float32Array(queries.length * dim);
  for (const [i, query] of queries.entries()) picked.set(data.subarray(query * dim, (query + 1) * dim), i * dim);
  return picked;
}

/**
 * Layers in `count` groups: the two that are most alike become one, again and again, alike being the mean similarity of their
 * layers (average linkage, as in SKILL's hierarchical clustering, arXiv:2402.16830; measure and linkage are ours). Groups in
 * the order of their first layers.
 */
export function groupLayers(similarity: readonly (readonly number[])[], count: number): number[][] {
  const groups = similarity.map((_, layer) => [layer]);
  const alike = (a: readonly number[], b: readonly number[]) =>
    a.reduce((sum, i) => sum + b.reduce((own, k) => own + similarity[i][k], 0), 0) / (a.length * b.length);
  while (groups.length > Math.max(1, count)) {
    let best = { a: 0, b: 1, alike: Number.NEGATIVE_INFINITY };
    for (let b = 1; b < groups.length; b++)
      for (let a = 0; a < b; a++) {
        const own = alike(groups[a], groups[b]);
        if (own > best.alike) best = { a, b, alike: own };
      }
    groups[best.a] = [...groups[best.a], ...groups[best.b]].sort((x, y) => x - y);
    groups.splice(best.b, 1);
  }
  return groups;
}
