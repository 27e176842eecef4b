// Plain columns for a terminal: the first left, the others right, no lines, no colours, no trailing spaces.
import { printable } from "../log/format.ts";

/** Aligns `rows` under `head`, two spaces between columns; control characters are escaped; columns in `left` are left-aligned. */
export function formatTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  left: readonly number[] = [0, head.length - 1],
): string {
  const all = [head, ...rows.map((row) => row.map(printable))];
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column].length)));
  const cell = (text: string, column: number) =>
    left.includes(column) ? text.padEnd(widths[column]) : text.padStart(widths[column]);
  return all.map((row) => row.map(cell).join("  ").trimEnd()).join("\n");
}
