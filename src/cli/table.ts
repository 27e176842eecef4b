// Plain columns for a terminal: the first left, the others right, no lines, no trailing spaces; colors where there are any.
import { colorsOf } from "../log/colors.ts";
import { printable } from "../log/format.ts";

/** Cells that tell of a failure. */
const ALARMS: ReadonlySet<string> = new Set(["FAILED", "BEYOND THE LIMIT"]);

/** Aligns `rows` under `head`, two spaces between columns; control characters are escaped; columns in `left` are left-aligned. */
export function formatTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  left: readonly number[] = [0, head.length - 1],
): string {
  const all = [head, ...rows.map((row) => row.map(printable))];
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column].length)));
  const { bold, red } = colorsOf(process.stdout);
  const cell = (text: string, column: number) => {
    const padded = left.includes(column) ? text.padEnd(widths[column]) : text.padStart(widths[column]);
    return ALARMS.has(text) ? padded.replace(text, red) : padded;
  };
  const lines = all.map((row) => row.map(cell).join("  ").trimEnd());
  return [bold(lines[0]), ...lines.slice(1)].join("\n");
}
