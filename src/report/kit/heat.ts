// A square of numbers as a picture: darkness is the value on a stated scale, every cell tells its own.
import { formatTick } from "./draw.ts";
import { marks } from "./hover.ts";
import { html, type Markup, svgText } from "./markup.ts";
import { fold } from "./pieces.ts";
import { table } from "./table.ts";

export interface HeatOptions {
  /** Unique in the page. */
  readonly title: string;
  /** What rows and columns are: "layer". */
  readonly of: string;
  readonly rows: readonly (readonly number[])[];
  /** Values of the palest and of the darkest colour, those between in proportion. Default: the ends of what is off the diagonal. */
  readonly scale?: readonly [bottom: number, top: number];
}

const CELL = 26;
const MARGIN = 44;

/** The scale with its ends and its middle. */
function bar([bottom, top]: readonly [number, number]): Markup {
  const number = (share: number) => formatTick(+(bottom + share * (top - bottom)).toPrecision(3));
  return html`<div class="scale" role="img" aria-label="Scale of colours: from ${number(0)} to ${number(1)}"><div class="numbers">${[
    0, 0.5, 1,
  ].map(
    (share) => html`<span style="left:${100 * share}%">${number(share)}</span>`,
  )}</div><div class="bar linear"></div></div>`;
}

/** The smallest and the largest value beside the diagonal, on which all are the same. */
function endsOf(rows: HeatOptions["rows"]): readonly [number, number] {
  const values = rows.flatMap((row, a) => row.filter((value, b) => a !== b && Number.isFinite(value)));
  const [bottom, top] = [Math.min(...values), Math.max(...values)];
  return bottom < top ? [bottom, top] : [0, 1];
}

export function heat({ title, of, rows, scale = endsOf(rows) }: HeatOptions): Markup {
  const [bottom, top] = scale;
  const size = MARGIN + CELL * rows.length;
  const { attributes, head } = svgText(`heat ${title}`, title, `${rows.length} ${of}s against ${rows.length}, darker for larger values, from ${bottom.toFixed(3)} to ${top.toFixed(3)}; the numbers are in the table below.`); // biome-ignore format: one line
  const label = (text: string | number, x: number, y: number, turn: string | false = false) =>
    html`<text x="${x}" y="${y}" text-anchor="middle"${turn && html` transform="${turn}"`}>${text}</text>`;
  const squares = rows.map((row, a) =>
    row.map((value, b) => {
      const [x, y] = [MARGIN + b * CELL, MARGIN + a * CELL];
      const opacity = Math.min(1, Math.max(0, (value - bottom) / (top - bottom))).toFixed(3);
      return html`<rect x="${x}" y="${y}" width="${CELL - 1}" height="${CELL - 1}" fill-opacity="${opacity}" data-tip="${of}s ${a} and ${b}: ${value.toFixed(3)}"/>`;
    }),
  );
  const names = rows.map((_, i) => [
    label(i, MARGIN + (i + 0.5) * CELL, MARGIN - 7),
    label(i, MARGIN - 13, MARGIN + (i + 0.65) * CELL),
  ]);
  const middle = (size + MARGIN) / 2;
  const titles = [label(of, middle, 14), label(of, 12, middle, `rotate(-90 12 ${middle})`)];
  const svg = html`<svg class="heat" viewBox="0 0 ${size} ${size}" style="max-width:${(1.2 * size).toFixed(0)}px" ${attributes}>${head}${titles}${names}${squares}</svg>`;
  const numbers = table({
    caption: title,
    columns: [of, ...rows.map((_, i) => String(i))],
    rows: rows.map((row, i) => [i, ...row.map((value) => value.toFixed(3))]),
  });
  return html`<figure class="figure"><figcaption><h3>${title}</h3></figcaption>${bar(scale)}${marks(svg, title)}${fold("Numbers", numbers)}</figure>`;
}
