// The closest valid name to a misspelt one, by Damerau-Levenshtein distance.

/** Insertions, deletions, substitutions and swaps of neighbours between two names. */
export function editDistance(a: string, b: string): number {
  const rows = Array.from({ length: a.length + 1 }, (_, i) => {
    const row = new Array<number>(b.length + 1).fill(0);
    row[0] = i;
    return row;
  });
  for (let j = 0; j <= b.length; j++) rows[0][j] = j;
  for (let i = 1; i <= a.length; i++)
    for (let j = 1; j <= b.length; j++) {
      const substituted = rows[i - 1][j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      let best = Math.min(rows[i - 1][j] + 1, rows[i][j - 1] + 1, substituted);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        best = Math.min(best, rows[i - 2][j - 2] + 1);
      rows[i][j] = best;
    }
  return rows[a.length][b.length];
}

/** The valid name nearest to `name`, or undefined where none is near (case and - _ are forgiven). */
export function closestName(name: string, valid: readonly string[]): string | undefined {
  if (name.length > 64) return undefined;
  const plain = (text: string) => text.toLowerCase().replaceAll(/[-_]/g, "");
  const wanted = plain(name);
  let best: string | undefined;
  let bestDistance = Number.POSITIVE_INFINITY;
  for (const candidate of valid) {
    const distance = editDistance(wanted, plain(candidate));
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  if (best === undefined) return undefined;
  const near = bestDistance <= Math.max(1, Math.floor(Math.max(wanted.length, best.length) * 0.4));
  const prefix = wanted.length >= 3 && plain(best).startsWith(wanted);
  return near || prefix ? best : undefined;
}

/** `; did you mean "layers"?`, or nothing. */
export function suggestion(name: string, valid: readonly string[]): string {
  const closest = closestName(name, valid);
  return closest === undefined ? "" : `; did you mean "${closest}"?`;
}
