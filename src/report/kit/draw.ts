// Lines to SVG, drawn on the server by Observable Plot.
import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import { formatLearningRate, formatNumber } from "../../log/format.ts";
import { type Point, type PreparedLine, quantile, thin } from "./line.ts";

export interface DrawOptions {
  /** In pixels; also bounds the number of points. */
  readonly width: number;
  readonly height: number;
  /** No axes, values from 0 to `top`. */
  readonly bareTop?: number;
  /** Mark every value. */
  readonly dots?: boolean;
  /** Write the first and the last value next to their marks. */
  readonly labels?: boolean;
  /** Values from 0 on, or (false) only from the smallest on. Default true. */
  readonly fromZero?: boolean;
  /** A logarithmic axis across, for learning rates; every place on it is above 0. */
  readonly logAcross?: boolean;
  /** A place on the axis across at which the first line's value is ringed and written. */
  readonly marked?: number;
}

/** Fewer values than this are marked one by one. */
const FEW_POINTS = 40;

const { document } = parseHTML("<!doctype html><html><body></body></html>");

/** Linear from zero, or logarithmic where the middle of the values would be squashed into a twentieth of the axis. */
function valueScale(values: readonly number[], positive: boolean, fromZero: boolean): Plot.ScaleOptions {
  const finite = values.filter(Number.isFinite);
  const [low, high] = [Math.min(...finite), Math.max(...finite)];
  if (positive && quantile(finite, 0.5) < high / 20) return { type: "log", domain: [low * 0.9, high * 1.1], ticks: 3 };
  const linear = (from: number, to: number): Plot.ScaleOptions => ({ type: "linear", domain: [from, to], ticks: 4 });
  if (low === high) return low === 0 ? linear(0, 1) : linear(Math.min(0, low * 1.25), Math.max(0, low * 1.25));
  const room = 0.06 * (high - low);
  return fromZero ? linear(Math.min(0, low), high > 0 ? high * 1.04 : 0) : linear(low - room, high + room);
}

/** `0.5`, `20`, `3k`, `5e-4`: an axis has little room. */
export function formatTick(value: number): string {
  const size = Math.abs(value);
  if (size !== 0 && (size < 0.001 || size >= 1e6)) return value.toExponential(1).replace(".0e", "e").replace("e+", "e");
  return size >= 10_000 ? `${+(value / 1000).toFixed(1)}k` : String(+value.toPrecision(4));
}

function stepDomain(lines: readonly PreparedLine[], isLog: boolean): [number, number] {
  const ends = lines.flatMap(({ raw }) => (raw.length ? [raw[0].step, raw.at(-1)!.step] : []));
  const [low, high] = [Math.min(...ends), Math.max(...ends)];
  // the marks at both ends need room, since every value on this axis has one
  if (isLog) return low === high ? [low / 10, high * 10] : [low / (high / low) ** 0.06, high * (high / low) ** 0.06];
  return low === high ? [low - 1, high + 1] : [low, high];
}

const AXIS = { tickSize: 0, label: null, fill: "var(--muted)" };
const PLACE = { x: "step", y: "value" };

/** Axis across: whole steps, or the powers of ten and what stands between them. */
function axisAcross(lines: readonly PreparedLine[], { width, logAcross }: DrawOptions): Plot.Markish {
  if (!logAcross) return Plot.axisX({ ...AXIS, ticks: width > 600 ? 8 : 4, tickFormat: wholeTick });
  const places = [...new Set(lines.flatMap(({ raw }) => raw.map(({ step }) => step)))].sort((a, b) => a - b);
  const ticks = places.length <= width / 55 ? places : places.filter((place) => Number.isInteger(Math.log10(place)));
  return Plot.axisX(ticks, { ...AXIS, tickFormat: formatLearningRate });
}

const wholeTick = (step: number) => (Number.isInteger(step) ? formatTick(step) : "");

/** A value in words, beside its place. */
const label = (point: Point, options: Plot.TextOptions): Plot.Markish =>
  Plot.text([point], {
    ...PLACE,
    text: () => formatNumber(point.value),
    fill: "var(--ink)",
    fontWeight: 600,
    ...options,
  });

/** A ring around a value and the value in words above it. */
function ring(points: readonly Point[], marked: number): Plot.Markish[] {
  const point = points.find(({ step, value }) => step === marked && Number.isFinite(value));
  if (!point) return [];
  return [
    Plot.dot([point], { ...PLACE, r: 6.5, stroke: "var(--accent)", strokeWidth: 2 }),
    label(point, { dy: -15, stroke: "var(--page)", strokeWidth: 4 }),
  ];
}

/** The first and the last value in words, above their dots and inside the frame. */
const endLabels = (points: readonly Point[]): Plot.Markish => [
  label(points[0], { textAnchor: "start", dx: 8, dy: 2 }),
  label(points.at(-1)!, { textAnchor: "end", dx: 2, dy: -14 }),
];

const valuesOf = (points: readonly Point[]) => points.map(({ value }) => value);

/** The marks of one line, back to front. */
function lineMarks({ raw, smoothed, tone }: PreparedLine, options: DrawOptions): Plot.Markish[] {
  const quiet = smoothed.length > 0;
  const colour = `var(--${tone})`;
  const shape = { ...PLACE, stroke: colour };
  const finite = raw.filter(({ value }) => Number.isFinite(value));
  const bare = options.bareTop !== undefined;
  const dots = !quiet && finite.length <= (bare ? 1 : options.dots ? Number.POSITIVE_INFINITY : FEW_POINTS);
  return [
    Plot.lineY(raw, { ...shape, strokeWidth: quiet ? 1 : 1.75, strokeOpacity: quiet ? 0.35 : 1 }),
    quiet && Plot.lineY(smoothed, { ...shape, strokeWidth: 2 }),
    options.labels && finite.length > 1 && endLabels(finite),
    dots && Plot.dot(finite, { ...PLACE, r: 2.5, fill: colour }),
  ].filter((mark) => mark !== false && mark !== undefined);
}

/** The lines as `plotted` gives them; the first on top. */
export function drawLines(lines: readonly PreparedLine[], options: DrawOptions): string {
  const { width, height, bareTop, logAcross = false, marked } = options;
  const limit = Math.min(900, width);
  const drawn = lines.map((line) => ({ ...line, raw: thin(line.raw, limit), smoothed: thin(line.smoothed, limit) }));
  const values = drawn.flatMap(({ raw, smoothed }) =>
    smoothed.length ? [...valuesOf(smoothed), quantile(valuesOf(raw), 0.98)] : valuesOf(raw),
  );
  const positive = drawn.every(({ raw }) => raw.every(({ value }) => !(value <= 0)));
  const bare = bareTop !== undefined;
  const y = bare
    ? { type: "linear" as const, domain: [0, bareTop] }
    : valueScale(values, positive, options.fromZero ?? true);
  const frame = bare
    ? [Plot.ruleY([0], { stroke: "var(--rule)" })]
    : [
        Plot.gridY({ stroke: "var(--rule)", strokeOpacity: 1, ticks: y.ticks }),
        Plot.axisY({ ...AXIS, ticks: y.ticks, tickFormat: formatTick }),
        axisAcross(drawn, options),
      ];
  return plotted({
    width,
    height,
    marginLeft: bare ? 1 : 46,
    marginRight: bare ? 1 : 12,
    marginTop: bare ? 3 : 10,
    marginBottom: bare ? 2 : 26,
    x: { type: logAcross ? "log" : "linear", domain: stepDomain(drawn, logAcross), axis: null },
    y: { ...y, axis: null, clamp: true },
    marks: [
      ...frame,
      ...drawn.toReversed().flatMap((line) => lineMarks(line, options)),
      ...(marked === undefined ? [] : ring(drawn[0].raw, marked)),
    ],
  });
}

/** A plot as an `<svg class="chart">` without name, its numbers rounded to a hundredth of a pixel. */
export function plotted(options: Plot.PlotOptions): string {
  const svg = Plot.plot({
    document: document as unknown as Document,
    className: "chart",
    style: { fontSize: "13px" },
    ...options,
  });
  return svg.outerHTML
    .replace(/<style>.*?<\/style>/s, "")
    .replace(/ (?:d|transform|x1|x2|y1|y2|cx|cy|x|y)="[^"]*"/g, (text) =>
      text.replace(/-?\d+\.\d{3,}(?:e-?\d+)?/g, (number) => String(+(+number).toFixed(2))),
    );
}
