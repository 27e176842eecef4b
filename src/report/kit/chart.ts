// A chart as a figure: title, key to the lines, named and described SVG, table of numbers.
import { formatLearningRate, formatNumber } from "../../log/format.ts";
import { type DrawOptions, drawLines } from "./draw.ts";
import { type ChartLine, type PreparedLine, prepareLine } from "./line.ts";
import { type Content, html, Markup, svgText } from "./markup.ts";
import { fold } from "./pieces.ts";
import { table } from "./table.ts";

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
  readonly across?: "step" | "head" | "learning rate" | "false alarms" | "threshold in %";
  /** Values from 0 on, or (false) only from the smallest on. Default true. */
  readonly fromZero?: boolean;
  /** A place along the axis whose value on the first line is ringed. */
  readonly marked?: number;
}

function formatPlace(place: number, across: string): string {
  if (across === "learning rate") return formatLearningRate(place);
  return Number.isInteger(place) ? String(place) : formatNumber(place);
}

function describe({ label, ends }: PreparedLine, across: string): string {
  if (!ends) return `${label}: no finite value.`;
  const [first, last] = ends;
  const place = (step: number) => `${across} ${formatPlace(step, across)}`;
  return `${label}: ${formatNumber(first.value)} at ${place(first.step)}, ${formatNumber(last.value)} at ${place(last.step)}.`;
}

/** The lines as a named and described picture. */
function picture(
  lines: readonly PreparedLine[],
  { title, id = title, across = "step" }: Pick<ChartOptions, "title" | "id" | "across">,
  className: string,
  draw: DrawOptions,
): Markup {
  const description = lines.map((line) => describe(line, across)).join(" ");
  const { attributes, head } = svgText(`${className} ${id}`, title, description);
  const svg = drawLines(lines, { ...draw, logAcross: across === "learning rate" });
  return named(svg, className, attributes, head);
}

/** A plotted picture with what it is called and shows. */
const named = (svg: string, className: string, attributes: Markup, head: Markup): Markup =>
  new Markup(
    svg.replace(/class="chart"([^>]*>)/, (_, rest) => `class="${className}" ${attributes.text}${rest}${head.text}`),
  );

/** A figure of any plotted picture: title, SVG, what stands below it. `description` says in words what it shows. */
export function pictureFigure(title: string, description: string, svg: string, below: Content): Markup {
  const { attributes, head } = svgText(`chart ${title}`, title, description);
  return html`<figure class="figure half"><figcaption><h3>${title}</h3></figcaption>${named(svg, "chart", attributes, head)}${below}</figure>`;
}

function numbers(lines: readonly PreparedLine[], { title, unit, across = "step" }: ChartOptions): Markup {
  const steps = [...new Set(lines.flatMap(({ samples }) => samples.map(({ step }) => step)))].sort((a, b) => a - b);
  const values = lines.map(({ samples }) => new Map(samples.map(({ step, value }) => [step, formatNumber(value)])));
  return table({
    caption: html`${title}${unit && ` (${unit})`}, values as logged`,
    columns: [across, ...lines.map(({ label }) => label)],
    rows: steps.map((step) => [formatPlace(step, across), ...values.map((column) => column.get(step))]),
  });
}

/** A figure: title, key to the lines, SVG, table. Says so in words where there is no finite value to draw. */
export function chart(options: ChartOptions): Markup {
  const { title, unit, size = "half", dots, across, fromZero, marked } = options;
  const isLog = across === "learning rate";
  const lines = options.lines.map((line) =>
    prepareLine(isLog ? { ...line, points: line.points.filter(({ step }) => step > 0) } : line),
  );
  const key = lines.map(({ label, tone }) => html`<li class="${tone}">${label}</li>`);
  const draw = (className: string, width: number, height: number) =>
    picture(lines, options, className, {
      width,
      height,
      dots,
      labels: dots && lines.length === 1 && !isLog,
      fromZero,
      marked,
    });
  const content = () => [
    size === "full" ? [draw("chart wide", 960, 300), draw("chart narrow", 440, 280)] : draw("chart", 440, 220),
    fold("Numbers", numbers(lines, options)),
  ];
  return html`<figure class="figure ${size}"><figcaption><h3>${title}${unit && html` <small>${unit}</small>`}</h3>${
    lines.length > 1 && html`<ul class="key">${key}</ul>`
  }</figcaption>${lines.some(({ ends }) => ends) ? content() : html`<p class="empty">No values yet.</p>`}</figure>`;
}

/** A chart of the size of a word or two, without axes, from 0 to `top`; `empty` in words where no value is finite. */
export function sparkline(title: string, lines: readonly PreparedLine[], top: number, empty: string): Markup {
  if (!lines.some(({ ends }) => ends)) return html`<p class="empty">${empty}</p>`;
  return picture(lines, { title }, "chart", { width: 180, height: 64, bareTop: top > 0 ? top : 1 });
}
