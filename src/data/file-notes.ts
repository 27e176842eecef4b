// What is worth knowing about files that are used all the same: one line, however many there are.

export interface FileNote {
  readonly path: string;
  readonly note: string;
}

/** Nothing, the only note, or how many files have one and the first by path. */
export function describeNotes(notes: readonly FileNote[]): string[] {
  if (notes.length === 0) return [];
  const { path, note } = notes.reduce((first, other) => (other.path < first.path ? other : first));
  return [
    notes.length === 1 ? `${path}: ${note}` : `${notes.length} files are not quite whole, first ${path}: ${note}`,
  ];
}
