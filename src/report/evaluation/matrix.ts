// A confusion matrix as a picture: references down, hypotheses across, each row in shares of its sum.
import { marks } from "../kit/hover.ts";
import { html, type Markup, svgText } from "../kit/markup.ts";
import { cut } from "../results/words.ts";

export interface MatrixOptions {
  /** Unique in the page. */
  readonly title: string;
  /** Of rows and columns. What stands on the diagonal is right: grey, so that the colours of the wrong ones are not drowned. */
  readonly names: readonly string[];
  /** [row, column] */
  readonly counts: readonly (readonly number[])[];
  /** The last row is no class: coloured on a scale of its own, and its last cell is not right. Default false. */
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

interface Cell {
  readonly row: number;
  readonly column: number;
  readonly count: number;
  /** Of the row's sum. */
  readonly share: number;
  readonly isRight: boolean;
  /** In the last row, where that stands apart. */
  readonly isApart: boolean;
}

export function matrix({ title, names, counts, isLastApart = false }: MatrixOptions): Markup {
  const size = names.length;
  const isNumbered = size <= NUMBERED_CLASSES;
  const cell = isNumbered ? 38 : size <= 34 ? 22 : 14;
  const edge = Math.max(...names.map((name) => [...cut(name, MAX_LABEL)].length)) * LETTER + 10;
  const side = edge + size * cell + 1;
  /** Where a cell begins, or a place `within` it. */
  const at = (i: number, within = 0, shift = 0) => (edge + (i + within) * cell + shift).toFixed(1);
  const cells = cellsOf(counts, isLastApart);
  const opacityOf = opacities(cells);
  const hasHints = cells.length <= MAX_HINTS;
  const drawn = cells.map((item) => {
    const { row, column, count, share, isRight } = item;
    const opacity = opacityOf(item) * (isNumbered ? NUMBERED_OPACITY : 1);
    const hint =
      hasHints &&
      html` data-tip="${cut(names[row], 60)} as ${cut(names[column], 60)}: ${count}, ${(100 * share).toFixed(1)} %"`;
    return html`<rect class="${isRight ? "right" : "wrong"}" x="${at(column)}" y="${at(row)}" width="${cell}" height="${cell}" fill-opacity="${opacity.toFixed(2)}"${hint}/>`;
  });
  const numbers =
    isNumbered &&
    cells.map(
      ({ row, column, count }) =>
        html`<text class="count" x="${at(column, 0.5)}" y="${at(row, 0.5, 3.5)}" text-anchor="middle">${count}</text>`,
    );
  const labels = names.map((name) => cut(name, MAX_LABEL));
  const across = labels.map(
    (label, i) =>
      html`<text transform="translate(${at(i, 0.5, 3.5)} ${(edge - 5).toFixed(1)}) rotate(-90)">${label}</text>`,
  );
  const down = labels.map(
    (label, i) => html`<text x="${(edge - 5).toFixed(1)}" y="${at(i, 0.5, 3.5)}" text-anchor="end">${label}</text>`,
  );
  const { attributes, head } = svgText(
    `matrix ${title}`,
    title,
    `References down, hypotheses across, ${size} by ${size}; the tables name the most frequent confusions.`,
  );
  const svg = html`<svg class="matrix" ${attributes} viewBox="0 0 ${side.toFixed(0)} ${side.toFixed(0)}" style="min-width:${Math.min(side, 720).toFixed(0)}px;max-width:${(1.15 * side).toFixed(0)}px">${head}
    ${drawn}${numbers}${across}${down}
    <rect class="frame" x="${at(0)}" y="${at(0)}" width="${size * cell}" height="${size * cell}"/></svg>`;
  return html`<div class="scroll">${marks(svg, title)}</div>`;
}

/** Cells that are not empty. */
function cellsOf(counts: MatrixOptions["counts"], isLastApart: boolean): Cell[] {
  return counts.flatMap((line, row) => {
    const total = line.reduce((sum, count) => sum + count, 0);
    const isApart = isLastApart && row === counts.length - 1;
    return line.flatMap((count, column) =>
      count > 0 ? [{ row, column, count, share: count / total, isRight: row === column && !isApart, isApart }] : [],
    );
  });
}

/** Right cells by their share; wrong ones by its square root, against the largest of their kind. */
function opacities(cells: readonly Cell[]): (cell: Cell) => number {
  const largest = (apart: boolean) =>
    Math.max(...cells.filter(({ isRight, isApart }) => !isRight && isApart === apart).map(({ share }) => share), 1e-9);
  const [classTop, apartTop] = [largest(false), largest(true)];
  return ({ isRight, isApart, share }) =>
    isRight ? 0.12 + 0.5 * share : Math.max(0.1, Math.sqrt(share / (isApart ? apartTop : classTop)));
}
