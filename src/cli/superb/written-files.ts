// Names of written files for people: a folder with many is a line with their count.
import { dirname } from "node:path";

const MOST_OF_A_FOLDER = 12;

/** Paths in their order; those of a folder with more than a dozen as one line where the first stood. */
export function writtenFiles(paths: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const path of paths) counts.set(dirname(path), (counts.get(dirname(path)) ?? 0) + 1);
  const lines = paths.map((path) => {
    const folder = dirname(path);
    const count = counts.get(folder)!;
    return count > MOST_OF_A_FOLDER ? `${folder}/ (${count} files)` : path;
  });
  return [...new Set(lines)];
}
