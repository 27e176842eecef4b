// The closest valid name to a misspelt one, by Levenshtein distance; two letters that changed places count as one edit.
import { distance } from "fastest-levenshtein";

const MAX_NAME_LENGTH = 64;

function edits(a: string, b: string): number {
  const changed = distance(a, b);
  return changed === 2 && [...a].sort().join() === [...b].sort().join() ? 1 : changed;
}

/** The valid name nearest to `name`, or undefined where none is near (case and - _ are forgiven). */
function closestName(name: string, valid: readonly string[]): string | undefined {
  if (name.length > MAX_NAME_LENGTH) return undefined;
  const plain = (text: string) => text.toLowerCase().replaceAll(/[-_]/g, "");
  const wanted = plain(name);
  let best: string | undefined;
  let fewest = Number.POSITIVE_INFINITY;
  for (const candidate of valid) {
    const count = edits(wanted, plain(candidate));
    if (count < fewest) [best, fewest] = [candidate, count];
  }
  if (best === undefined) return undefined;
  const near = fewest <= Math.max(1, Math.floor(Math.max(wanted.length, best.length) * 0.4));
  return near || (wanted.length >= 3 && plain(best).startsWith(wanted)) ? best : undefined;
}

/** `; did you mean "layers"?`, or nothing. */
export function suggestion(name: string, valid: readonly string[]): string {
  const closest = closestName(name, valid);
  return closest === undefined ? "" : `; did you mean "${closest}"?`;
}
