// A chart as a figure: title, key to the lines, named and described SVG, table of numbers.

import { formatLearningRate, formatNumber } from "../../log/format.ts";
import { drawLines } from "./draw.ts";
import { type ChartLine, type PreparedLine, prepareLine } from "./line.ts";
import { html, Markup } from "./markup.ts";

export interface ChartOptions {
  readonly title: string;
  /** What identifiers are made of, unique in the page. Default the title. */
  readonly id?: string;
  /** The first line is drawn on top. */
  readonly lines: readonly ChartLine[];
  /** What the value is: "seconds". */
  readonly unit?: string;
  /** One chart over the full width (with a narrow twin for phones), or one of several side by side. Default "half". */
  readonly size?: "full" | "half";
  /** Mark every value: validation. */
  readonly dots?: boolean;
  /** What runs along the axis; learning rates on a logarithmic one. Default "step". */
  readonly across?: "step" | "head" | "learning rate";
  /** Values from 0 on, or (false) only from the smallest on. Default true. */
  readonly fromZero?: boolean;
  /** A place along the axis whose value on the first line is ringed. */
  readonly marked?: number;
}

/** Gives the SVG a role, a name and a description. `key` is unique in a page, and so are the identifiers made of it. */
function name(svg: string, key: string, title: string, description: string, className: string): Markup {
  const id = `${className} ${key}`.toLowerCase().replace(/[^a-z0-9]+/g, "-");
  const head = html`<title id="${id}-title">${title}</title><desc id="${id}-text">${description}</desc>`;
  return new Markup(
    svg
      .replace(/^<svg[^>]*?class="[^"]*"/, (tag) =>
        tag.replace(/class="[^"]*"/, `class="${className}" role="img" aria-labelledby="${id}-title ${id}-text"`),
      )
      .replace(/^(<svg[^>]*>)/, (tag) => tag + head.text),
  );
}

const formatPlace = (place: number, across: string) =>
  across === "learning rate" ? formatLearningRate(place) : String(place);

function describe({ label, ends }: PreparedLine, across = "step"): string {
  if (!ends) return `${label}: no finite value.`;
  const [first, last] = ends;
  const place = (step: number) => `${across} ${formatPlace(step, across)}`;
  return `${label}: ${formatNumber(first.value)} at ${place(first.step)}, ${formatNumber(last.value)} at ${place(last.step)}.`;
}

const describeAll = (lines: readonly PreparedLine[], across?: string) =>
  lines.map((line) => describe(line, across)).join(" ");

function table(lines: readonly PreparedLine[], { title, unit, across = "step" }: ChartOptions): Markup {
  const steps = [...new Set(lines.flatMap(({ samples }) => samples.map(({ step }) => step)))].sort((a, b) => a - b);
  const columns = lines.map(({ samples }) => new Map(samples.map(({ step, value }) => [step, value])));
  const cell = (value: number | undefined) => html`<td>${value === undefined ? "" : formatNumber(value)}</td>`;
  const rows = steps.map(
    (step) =>
      html`<tr><th scope="row">${formatPlace(step, across)}</th>${columns.map((column) => cell(column.get(step)))}</tr>`,
  );
  return html`<details><summary>Numbers</summary><div class="scroll"><table>
    <caption>${title}${unit && ` (${unit})`}, values as logged</caption>
    <thead><tr><th scope="col">${across}</th>${lines.map(({ label }) => html`<th scope="col">${label}</th>`)}</tr></thead>
    <tbody>${rows}</tbody></table></div></details>`;
}

/** A figure: title, key to the lines, SVG, table. Says so in words where there is no finite value to draw. */
export function chart(options: ChartOptions): Markup {
  const { title, unit, size = "half", dots, across, fromZero, marked } = options;
  const logAcross = across === "learning rate";
  const lines = options.lines.map((line) =>
    prepareLine(logAcross ? { ...line, points: line.points.filter(({ step }) => step > 0) } : line),
  );
  const key = lines.map(({ label, tone }) => html`<li class="${tone}">${label}</li>`);
  const heading = html`<figcaption><h3>${title}${unit && html` <small>${unit}</small>`}</h3>${
    lines.length > 1 && html`<ul class="key">${key}</ul>`
  }</figcaption>`;
  if (!lines.some(({ ends }) => ends))
    return html`<figure class="figure ${size}">${heading}<p class="empty">No values yet.</p></figure>`;
  const picture = (className: string, width: number, height: number) =>
    name(
      drawLines(lines, {
        width,
        height,
        dots,
        labels: dots && lines.length === 1 && !logAcross,
        fromZero,
        logAcross,
        marked,
      }),
      options.id ?? title,
      title,
      describeAll(lines, across),
      className,
    );
  return html`<figure class="figure ${size}">${heading}${
    size === "full" ? [picture("chart wide", 960, 300), picture("chart narrow", 440, 280)] : picture("chart", 440, 220)
  }${table(lines, options)}</figure>`;
}

/** A chart of the size of a word or two, without axes, from 0 to `top`. Undefined without finite values. */
export function sparkline(title: string, lines: readonly PreparedLine[], top: number): Markup | undefined {
  if (!lines.some(({ ends }) => ends)) return undefined;
  const svg = drawLines(lines, { width: 180, height: 64, bareTop: top > 0 ? top : 1 });
  return name(svg, title, title, describeAll(lines), "chart");
}
