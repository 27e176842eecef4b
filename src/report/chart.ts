// One line chart as an inline SVG with a name, a description and a table of numbers, drawn on the server.
import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import { type Content, html, Markup } from "./markup.ts";
import { formatNumber } from "./progress.ts";
import { type Point, quantile, sample, smooth, thin } from "./series.ts";

/** `accent` and `soft` differ in lightness and width, so that they differ without colour too. */
export type Tone = "accent" | "soft";

export interface ChartLine {
  readonly label: string;
  readonly points: readonly Point[];
  readonly tone: Tone;
  /** Draw the raw values faintly behind the smoothed ones. Default false: raw values only. */
  readonly smoothed?: boolean;
}

export interface ChartOptions {
  readonly title: string;
  readonly lines: readonly ChartLine[];
  /** What the value is: "seconds". Part of the table's heading. */
  readonly unit?: string;
  /** One chart over the full width (with a narrow twin for phones), or one of several side by side. Default "half". */
  readonly size?: "full" | "half";
  /** Mark and label single values: validation. */
  readonly dots?: boolean;
  readonly note?: Content;
}

const TABLE_ROWS = 12;
const FEW_POINTS = 40;

const { document } = parseHTML("<!doctype html><html><body></body></html>");

/** The points behind a line as drawn: [raw, smoothed], at most `limit` each; smoothed is empty where it would add nothing. */
function layersOf(line: ChartLine, limit: number): { raw: Point[]; smoothed: Point[] } {
  const window = Math.min(500, Math.round(line.points.length / 25));
  const smoothed = line.smoothed && window >= 2 ? thin(smooth(line.points, window), limit) : [];
  return { raw: thin(line.points, limit), smoothed };
}

/** Linear from zero, or logarithmic where the middle of the values would be squashed into a twentieth of the axis. */
function valueScale(values: readonly number[], positive: boolean): Plot.ScaleOptions {
  const finite = values.filter(Number.isFinite);
  const low = Math.min(...finite);
  const high = Math.max(...finite);
  if (positive && quantile(finite, 0.5) < high / 20) return { type: "log", domain: [low * 0.9, high * 1.1], ticks: 3 };
  if (low === high)
    return { type: "linear", domain: low === 0 ? [0, 1] : [Math.min(0, low * 1.25), Math.max(0, low * 1.25)] };
  return { type: "linear", domain: [Math.min(0, low), high > 0 ? high * 1.04 : 0], ticks: 4 };
}

/** `0.5`, `20`, `3k`, `5e-4`: an axis has little room. */
export function formatTick(value: number): string {
  const size = Math.abs(value);
  if (size !== 0 && (size < 0.001 || size >= 1e6)) return value.toExponential(1).replace(".0e", "e").replace("e+", "e");
  return size >= 10_000 ? `${+(value / 1000).toFixed(1)}k` : String(+value.toPrecision(4));
}

function stepDomain(lines: readonly ChartLine[]): [number, number] {
  const ends = lines.flatMap(({ points }) => (points.length ? [points[0]!.step, points.at(-1)!.step] : []));
  const [low, high] = [Math.min(...ends), Math.max(...ends)];
  return low === high ? [low - 1, high + 1] : [low, high];
}

/** SVG of `width` x `height`; all numbers in it rounded to a hundredth of a pixel. */
function draw(options: ChartOptions, width: number, height: number, bare = false, top?: number): string {
  const limit = Math.min(900, width);
  const drawn = options.lines.map((line) => ({ ...layersOf(line, limit), tone: line.tone }));
  const marks: Plot.Markish[] = [];
  const values: number[] = [];
  for (const { raw, smoothed, tone } of drawn) {
    const quiet = smoothed.length > 0;
    const few = raw.length <= FEW_POINTS || options.dots;
    values.push(...(quiet ? smoothed : raw).map(({ value }) => value));
    const shape = { x: "step", y: "value", stroke: `var(--${tone})`, clip: undefined };
    marks.push(Plot.lineY(raw, { ...shape, strokeWidth: quiet ? 1 : 1.75, strokeOpacity: quiet ? 0.28 : 1 }));
    if (quiet) marks.push(Plot.lineY(smoothed, { ...shape, strokeWidth: 2 }));
    const finite = raw.filter(({ value }) => Number.isFinite(value));
    if (few && !bare && !quiet) marks.push(Plot.dot(finite, { x: "step", y: "value", r: 2.5, fill: `var(--${tone})` }));
  }
  for (const { raw, smoothed } of drawn)
    if (smoothed.length)
      values.push(
        quantile(
          raw.map((p) => p.value),
          0.98,
        ),
      );
  const positive = drawn.every(({ raw }) => raw.every(({ value }) => !(value <= 0)));
  const y = top === undefined ? valueScale(values, positive) : { type: "linear" as const, domain: [0, top] };
  const ticks = width > 600 ? 8 : 4;
  const svg = Plot.plot({
    document: document as unknown as Document,
    className: "chart",
    width,
    height,
    marginLeft: bare ? 1 : 46,
    marginRight: bare ? 1 : 12,
    marginTop: bare ? 3 : 10,
    marginBottom: bare ? 2 : 26,
    x: { domain: stepDomain(options.lines), axis: null },
    y: { ...y, axis: null, clamp: true },
    style: { fontSize: "13px" },
    marks: [
      ...(bare
        ? [Plot.ruleY([0], { stroke: "var(--rule)" })]
        : [
            Plot.gridY({ stroke: "var(--rule)", strokeOpacity: 1, ticks: y.ticks }),
            Plot.axisY({ tickSize: 0, label: null, fill: "var(--muted)", ticks: y.ticks, tickFormat: formatTick }),
            Plot.axisX({ tickSize: 0, label: null, fill: "var(--muted)", ticks, tickFormat: wholeTick }),
          ]),
      ...marks,
    ],
  });
  return svg.outerHTML
    .replace(/<style>.*?<\/style>/s, "")
    .replace(/ (?:d|transform|x1|x2|y1|y2|cx|cy|x|y)="[^"]*"/g, (text) =>
      text.replace(/-?\d+\.\d{3,}(?:e-?\d+)?/g, (number) => String(+(+number).toFixed(2))),
    );
}

const wholeTick = (step: number) => (Number.isInteger(step) ? formatTick(step) : "");

/** Gives the SVG a role, a name and a description. Titles are unique in a page, and so are the identifiers made of them. */
function name(svg: string, title: string, description: string, className: string): Markup {
  const id = `${className} ${title}`.toLowerCase().replace(/[^a-z0-9]+/g, "-");
  const head = html`<title id="${id}-title">${title}</title><desc id="${id}-text">${description}</desc>`;
  return new Markup(
    svg
      .replace(/^<svg[^>]*?class="[^"]*"/, (tag) =>
        tag.replace(/class="[^"]*"/, `class="${className}" role="img" aria-labelledby="${id}-title ${id}-text"`),
      )
      .replace(/^(<svg[^>]*>)/, (tag) => tag + head.text),
  );
}

function describe(line: ChartLine): string {
  const finite = line.points.filter(({ value }) => Number.isFinite(value));
  if (!finite.length) return `${line.label}: no finite value.`;
  const [first, last] = [finite[0]!, finite.at(-1)!];
  return `${line.label}: ${formatNumber(first.value)} at step ${first.step}, ${formatNumber(last.value)} at step ${last.step}.`;
}

function table(options: ChartOptions): Markup {
  const longest = options.lines.reduce((a, b) => (b.points.length > a.points.length ? b : a));
  const steps = sample(longest.points, TABLE_ROWS).map(({ step }) => step);
  const columns = options.lines.map((line) => {
    const byStep = new Map(line.points.map(({ step, value }) => [step, value]));
    return { heading: line.label, at: (step: number) => byStep.get(step) };
  });
  const cell = (value: number | undefined) => html`<td>${value === undefined ? "" : formatNumber(value)}</td>`;
  return html`<details><summary>Numbers</summary><div class="scroll"><table>
    <caption>${options.title}${options.unit && ` (${options.unit})`}, values as logged</caption>
    <thead><tr><th scope="col">step</th>${columns.map(({ heading }) => html`<th scope="col">${heading}</th>`)}</tr></thead>
    <tbody>${steps.map((step) => html`<tr><th scope="row">${step}</th>${columns.map(({ at }) => cell(at(step)))}</tr>`)}</tbody>
  </table></div></details>`;
}

/** In the order of the steps; what no axis can show (not finite, or beyond float32) is a gap. */
function drawablePoints(points: readonly Point[]): Point[] {
  return points
    .map(({ step, value }) => ({ step, value: Math.abs(value) < 3e38 ? value : Number.NaN }))
    .sort((a, b) => a.step - b.step);
}

/** A figure: title, key to the lines, SVG, table. Says so in words where there is no finite value to draw. */
export function chart(options: ChartOptions): Markup {
  const lines = options.lines.map((line) => ({ ...line, points: drawablePoints(line.points) }));
  const sorted = { ...options, lines };
  const drawable = lines.some(({ points }) => points.some(({ value }) => Number.isFinite(value)));
  const heading = html`<figcaption><h3>${options.title}${options.unit && html` <small>${options.unit}</small>`}</h3>${
    lines.length > 1 &&
    html`<ul class="key">${lines.map(({ label, tone }) => html`<li class="${tone}">${label}</li>`)}</ul>`
  }</figcaption>`;
  const className = `figure ${options.size ?? "half"}`;
  if (!drawable) return html`<figure class="${className}">${heading}<p class="empty">No values yet.</p></figure>`;
  const text = lines.map(describe).join(" ");
  const picture =
    options.size === "full"
      ? [
          name(draw(sorted, 960, 300), options.title, text, "chart wide"),
          name(draw(sorted, 440, 280), options.title, text, "chart narrow"),
        ]
      : name(draw(sorted, 440, 220), options.title, text, "chart");
  return html`<figure class="${className}">${heading}${picture}${options.note && html`<p class="note">${options.note}</p>`}${table(sorted)}</figure>`;
}

/** A chart of the size of a word or two, without axes; `top` is the value at its upper edge. Undefined without finite values. */
export function sparkline(title: string, lines: readonly ChartLine[], top: number): Markup | undefined {
  if (!lines.some(({ points }) => points.some(({ value }) => Number.isFinite(value)))) return undefined;
  const drawn = lines.map((line) => ({ ...line, points: drawablePoints(line.points) }));
  const svg = draw({ title, lines: drawn }, 180, 64, true, top > 0 ? top : 1);
  return name(svg, title, lines.map(describe).join(" "), "chart");
}
