// The best one-to-one assignment of rows to columns (Kuhn, 1955; shortest augmenting paths with potentials).
// Ours because it is one page, and scores must not change with a library.

/**
 * Column of each row such that the sum of `gains` is largest; -1 for rows left over where there are more rows than columns.
 * Gains are at least 0.
 */
export function bestAssignment(gains: readonly (readonly number[])[]): number[] {
  const rows = gains.length;
  const columns = gains[0]?.length ?? 0;
  const size = Math.max(rows, columns);
  const cost = (i: number, j: number) => (i < rows && j < columns ? -gains[i][j] : 0);
  const rowPotential = new Float64Array(size + 1);
  const columnPotential = new Float64Array(size + 1);
  /** Row matched to each column, 1-based; 0: none. */
  const matched = new Int32Array(size + 1);
  for (let row = 1; row <= size; row++) {
    const slack = new Float64Array(size + 1).fill(Number.POSITIVE_INFINITY);
    const before = new Int32Array(size + 1);
    const isDone = new Uint8Array(size + 1);
    matched[0] = row;
    let column = 0;
    do {
      isDone[column] = 1;
      let smallest = Number.POSITIVE_INFINITY;
      let next = 0;
      for (let j = 1; j <= size; j++) {
        if (isDone[j]) continue;
        const i = matched[column];
        const reduced = cost(i - 1, j - 1) - rowPotential[i] - columnPotential[j];
        if (reduced < slack[j]) {
          slack[j] = reduced;
          before[j] = column;
        }
        if (slack[j] < smallest) {
          smallest = slack[j];
          next = j;
        }
      }
      for (let j = 0; j <= size; j++) {
        if (isDone[j]) {
          rowPotential[matched[j]] += smallest;
          columnPotential[j] -= smallest;
        } else slack[j] -= smallest;
      }
      column = next;
    } while (matched[column] !== 0);
    while (column !== 0) {
      matched[column] = matched[before[column]];
      column = before[column];
    }
  }
  const result = new Array<number>(rows).fill(-1);
  for (let j = 1; j <= columns; j++) if (matched[j] <= rows) result[matched[j] - 1] = j - 1;
  return result;
}
