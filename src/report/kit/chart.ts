// A chart as a figure: title, key to the lines, named and described SVG that tells its values, table of numbers.
import { formatLearningRate, formatNumber } from "../../log/format.ts";
import { DASHES, type DrawOptions, drawLines, letterOf } from "./draw.ts";
import { type PlotOptions, plot } from "./hover.ts";
import { type ChartLine, type PreparedLine, prepareLine } from "./line.ts";
import { type Content, html, Markup, svgText } from "./markup.ts";
import { fold } from "./pieces.ts";
import type { ValueScale } from "./scale.ts";
import { table } from "./table.ts";

export interface ChartOptions {
  readonly title: string;
  /** What identifiers are made of, unique in the page. Default the title. */
  readonly id?: string;
  /** The first line is drawn on top. */
  readonly lines: readonly ChartLine[];
  /** What the values are, with their unit: stands at their axis. */
  readonly value: string;
  /** One chart over the full width (with a narrow twin for phones), or one of several side by side. Default "half". */
  readonly size?: "full" | "half";
  /** Mark every value: validation. */
  readonly dots?: boolean;
  /** A letter at each line's end and in the key: for more lines than colours can tell apart. */
  readonly letters?: boolean;
  /** What runs along the axis, with its unit; learning rates on a logarithmic one. Default "step". */
  readonly across?: string;
}

/** The axis of learning rates, whose places are written in powers of ten. */
const RATES = "learning rate";

/** The name of an axis without its unit. */
const bare = (across: string) => across.replace(/ \(.*\)$/, "");

const placeName = (step: number, across: string) =>
  across === RATES ? formatLearningRate(step) : Number.isInteger(step) ? String(step) : formatNumber(step);

function describe({ label, ends }: PreparedLine, across: string): string {
  if (!ends) return `${label}: no finite value.`;
  const [first, last] = ends;
  const place = (step: number) => `${bare(across)} ${placeName(step, across)}`;
  return `${label}: ${formatNumber(first.value)} at ${place(first.step)}, ${formatNumber(last.value)} at ${place(last.step)}.`;
}

type Named = Pick<ChartOptions, "title" | "id" | "across" | "value">;

/** The lines as a named and described picture that tells its values. */
function picture(
  lines: readonly PreparedLine[],
  { title, id = title, across = "step", value }: Named,
  className: string,
  draw: Omit<DrawOptions, "across" | "value" | "logAcross">,
): Markup {
  const description = lines.map((line) => describe(line, across)).join(" ");
  const { attributes, head } = svgText(`chart ${className} ${id}`, title, description);
  const { svg, ...told } = drawLines(lines, { ...draw, across, value, logAcross: across === RATES });
  return plot(named(svg, attributes, head), { className, title, lines, ...told });
}

/** A plotted picture with what it is called and shows. */
const named = (svg: string, attributes: Markup, head: Markup): Markup =>
  new Markup(svg.replace(/class="chart"([^>]*>)/, (_, rest) => `class="chart" ${attributes.text}${rest}${head.text}`));

/** A figure of any plotted picture: title, SVG, what stands below it. `description` says in words what it shows. */
export function pictureFigure(
  title: string,
  description: string,
  { svg, ...told }: Omit<PlotOptions, "title"> & { readonly svg: string },
  below: Content,
): Markup {
  const { attributes, head } = svgText(`chart ${title}`, title, description);
  return html`<figure class="figure half"><figcaption><h3>${title}</h3></figcaption>${plot(named(svg, attributes, head), { ...told, title })}${below}</figure>`;
}

function numbers(lines: readonly PreparedLine[], { title, value, across = "step" }: ChartOptions): Markup {
  const steps = [...new Set(lines.flatMap(({ samples }) => samples.map(({ step }) => step)))].sort((a, b) => a - b);
  const values = lines.map(({ samples }) => new Map(samples.map(({ step, value }) => [step, formatNumber(value)])));
  return table({
    caption: html`${title}: ${value}, as logged`,
    columns: [across, ...lines.map(({ label }) => label)],
    rows: steps.map((step) => [placeName(step, across), ...values.map((column) => column.get(step))]),
  });
}

/** Names of lines with a stroke as theirs. */
export const lineKey = (lines: readonly Pick<PreparedLine, "label" | "tone" | "letter">[], letters = false): Markup =>
  html`<ul class="key">${lines.map(
    ({ label, tone, letter }, i) =>
      html`<li><svg viewBox="0 0 28 8" aria-hidden="true"><line x2="28" y1="4" y2="4" stroke="var(--${tone})" stroke-width="3" stroke-dasharray="${DASHES[tone]}"/></svg>${letters && html`<b>${letter ?? letterOf(i)}</b>`}<span>${label}</span></li>`,
  )}</ul>`;

/** A figure: title, key to the lines, SVG, table. Says so in words where there is no finite value to draw. */
export function chart(options: ChartOptions): Markup {
  const { title, size = "half", dots, letters, across } = options;
  const isLog = across === RATES;
  const lines = options.lines.map((line) =>
    prepareLine(isLog ? { ...line, points: line.points.filter(({ step }) => step > 0) } : line),
  );
  const labels = dots && lines.length === 1 && !isLog;
  const draw = (className: string, width: number, height: number) =>
    picture(lines, options, className, { width, height, dots, labels, letters });
  const content = () => [
    size === "full" ? [draw("wide", 960, 320), draw("narrow", 400, 300)] : draw("", 440, 250),
    fold("Numbers", numbers(lines, options)),
  ];
  return html`<figure class="figure ${size}"><figcaption><h3>${title}</h3>${
    lines.length > 1 && lineKey(lines, letters)
  }</figcaption>${lines.some(({ ends }) => ends) ? content() : html`<p class="empty">No values yet.</p>`}</figure>`;
}

/** One of many small charts, all on the same `scale`, so that heights compare; `empty` in words where no value is finite. */
export function smallChart({
  lines,
  scale,
  empty,
  ...names
}: Named & {
  readonly lines: readonly PreparedLine[];
  readonly scale: ValueScale;
  readonly empty: string;
}): Markup {
  if (!lines.some(({ ends }) => ends)) return html`<p class="empty">${empty}</p>`;
  return picture(lines, names, "", { width: 230, height: 150, letter: 11.5, scale });
}
