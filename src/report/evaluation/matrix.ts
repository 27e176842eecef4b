// A confusion matrix as a picture: references down, hypotheses across, each row in shares of its sum.
import { html, Markup } from "../index.ts";
import { cut } from "./words.ts";

export interface MatrixOptions {
  /** Unique in the page. */
  readonly title: string;
  readonly rows: readonly string[];
  readonly columns: readonly string[];
  /** [row, column] */
  readonly counts: readonly (readonly number[])[];
  /** Whether a cell is a right answer: drawn in grey, so that the colours of the wrong ones are not drowned. */
  readonly isRight: (row: number, column: number) => boolean;
  /** The last row is no class, and coloured on a scale of its own. Default false. */
  readonly isLastApart?: boolean;
}

/** More classes than this cannot be told apart. */
export const MAX_CLASSES = 90;
const NUMBERED_CLASSES = 16;
const MAX_HINTS = 2500;
const MAX_LABEL = 22;
const LETTER = 6.4;
/** Numbers stay readable on the strongest colour. */
const NUMBERED_OPACITY = 0.55;

export function matrix({ title, rows, columns, counts, isRight, isLastApart }: MatrixOptions): Markup {
  const size = Math.max(rows.length, columns.length);
  const isNumbered = size <= NUMBERED_CLASSES;
  const cell = isNumbered ? 38 : size <= 34 ? 22 : 14;
  const label = (names: readonly string[]) =>
    Math.max(...names.map((name) => [...cut(name, MAX_LABEL)].length)) * LETTER + 10;
  const [left, top] = [label(rows), label(columns)];
  const [width, height] = [left + columns.length * cell + 1, top + rows.length * cell + 1];
  const cells = cellsOf({ rows, columns, counts, isRight });
  const isApart = (row: number) => isLastApart === true && row === rows.length - 1;
  const largest = (apart: boolean) =>
    Math.max(...cells.filter(({ right, row }) => !right && isApart(row) === apart).map(({ share }) => share), 1e-9);
  const [classTop, apartTop] = [largest(false), largest(true)];
  const hasHints = cells.length <= MAX_HINTS;
  const drawn = cells.map(({ row, column, count, share, right }) => {
    const strength = right
      ? 0.12 + 0.5 * share
      : Math.max(0.1, Math.sqrt(share / (isApart(row) ? apartTop : classTop)));
    const opacity = isNumbered ? strength * NUMBERED_OPACITY : strength;
    const place = `x="${(left + column * cell).toFixed(1)}" y="${(top + row * cell).toFixed(1)}" width="${cell}" height="${cell}"`;
    const hint =
      hasHints &&
      html`<title>${cut(rows[row], 60)} as ${cut(columns[column], 60)}: ${count}, ${(100 * share).toFixed(1)} %</title>`;
    return html`<rect class="${right ? "right" : "wrong"}" ${new Markup(place)} fill-opacity="${opacity.toFixed(2)}">${hint}</rect>`;
  });
  const numbers =
    isNumbered &&
    cells.map(
      ({ row, column, count }) =>
        html`<text class="count" x="${(left + (column + 0.5) * cell).toFixed(1)}" y="${(top + (row + 0.5) * cell + 3.5).toFixed(1)}" text-anchor="middle">${count}</text>`,
    );
  const id = `matrix-${title.toLowerCase().replace(/[^a-z0-9]+/g, "-")}`;
  const across = columns.map((name, i) => {
    const x = (left + (i + 0.5) * cell + 3.5).toFixed(1);
    return html`<text transform="translate(${x} ${(top - 5).toFixed(1)}) rotate(-90)">${cut(name, MAX_LABEL)}</text>`;
  });
  const down = rows.map(
    (name, i) =>
      html`<text x="${(left - 5).toFixed(1)}" y="${(top + (i + 0.5) * cell + 3.5).toFixed(1)}" text-anchor="end">${cut(name, MAX_LABEL)}</text>`,
  );
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${title}"><svg class="matrix" role="img" aria-labelledby="${id}-title ${id}-text" viewBox="0 0 ${width.toFixed(0)} ${height.toFixed(0)}" style="min-width:${Math.min(width, 720).toFixed(0)}px;max-width:${(1.15 * width).toFixed(0)}px">
    <title id="${id}-title">${title}</title><desc id="${id}-text">References down, hypotheses across, ${rows.length} by ${columns.length}; the tables name the most frequent confusions.</desc>
    ${drawn}${numbers}${across}${down}
    <rect class="frame" x="${left.toFixed(1)}" y="${top.toFixed(1)}" width="${columns.length * cell}" height="${rows.length * cell}"/></svg></div>`;
}

/** Cells that are not empty. */
function cellsOf({ rows, columns, counts, isRight }: Omit<MatrixOptions, "title">) {
  return rows.flatMap((_, row) => {
    const total = counts[row].reduce((sum, count) => sum + count, 0);
    return columns.flatMap((_, column) => {
      const count = counts[row][column];
      return count > 0 ? [{ row, column, count, share: count / total, right: isRight(row, column) }] : [];
    });
  });
}
