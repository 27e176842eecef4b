// Lines to SVG, drawn on the server by Observable Plot, and what they tell at each place.
import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import { InternalError } from "../../errors.ts";
import { formatCount, formatLearningRate, formatNumber } from "../../log/format.ts";
import { stopsOf } from "./hover.ts";
import { type Point, type PreparedLine, quantile, type Tone, thin } from "./line.ts";
import { withoutControls } from "./markup.ts";
import { crop, type ValueScale, valueScale } from "./scale.ts";

export interface DrawOptions {
  /** In pixels; also bounds the number of points. */
  readonly width: number;
  readonly height: number;
  /** What runs along the axes, with units. */
  readonly across: string;
  readonly value: string;
  /** Default: what suits the lines. */
  readonly scale?: ValueScale;
  /** Of the axis of values, where `scale` is left out. */
  readonly ticks?: number;
  /** Mark every value. */
  readonly dots?: boolean;
  /** Write the first and the last value next to their marks. */
  readonly labels?: boolean;
  /** A letter at the end of each line. */
  readonly letters?: boolean;
  /** A logarithmic axis across, for learning rates; every place on it is above 0. */
  readonly logAcross?: boolean;
  /** Pixels of the letters on the axes. Default 13. */
  readonly letter?: number;
}

export interface Drawing {
  readonly svg: string;
  readonly stops: ReturnType<typeof stopsOf>;
  /** Top and bottom of the frame. */
  readonly frame: readonly [number, number];
}

/** Fewer values than this are marked one by one. */
const FEW_POINTS = 40;

/** Dashes of each tone, so that colour is not all that tells lines apart. */
export const DASHES: Readonly<Record<Tone, string>> = {
  accent: "none",
  soft: "5 3",
  blue: "9 3",
  amber: "2 3",
  rose: "9 3 2 3",
  violet: "5 2 1 2",
  olive: "1 2",
  pink: "12 4",
};

const { document } = parseHTML("<!doctype html><html><body></body></html>");

/** `0.5`, `20`, `3k`, `5e-4`: an axis has little room. */
export function formatTick(value: number): string {
  const size = Math.abs(value);
  if (size !== 0 && (size < 0.001 || size >= 1e6)) return value.toExponential(1).replace(".0e", "e").replace("e+", "e");
  return size >= 10_000 ? `${+(value / 1000).toFixed(1)}k` : String(+value.toPrecision(4));
}

/** The name of a place: a whole number, a learning rate, any other. */
function formatPlace(place: number, isLog: boolean): string {
  if (isLog) return formatLearningRate(place);
  return Number.isInteger(place) ? formatCount(place) : formatNumber(place);
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

/** What the axes are called, with units: of values above theirs, of places below theirs. */
export function axisNames(
  { across, value }: Pick<DrawOptions, "across" | "value">,
  marginLeft: number,
  letter = 13,
): Plot.Markish[] {
  const words = { text: withoutControls, fill: "var(--muted)" };
  return [
    Plot.text([value], { ...words, frameAnchor: "top-left", dx: -marginLeft, dy: -1.85 * letter, textAnchor: "start" }),
    Plot.text([across], { ...words, frameAnchor: "bottom-right", dy: 2.6 * letter, textAnchor: "end" }),
  ];
}

/** Axis across: whole steps where all are, or the powers of ten and what stands between them. */
function axisAcross(lines: readonly PreparedLine[], { width, logAcross }: DrawOptions): Plot.Markish {
  const steps = lines.flatMap(({ raw }) => raw.map(({ step }) => step));
  const ofWhole = steps.every(Number.isInteger);
  const tickFormat = (step: number) => (!ofWhole || Number.isInteger(step) ? formatTick(step) : "");
  if (!logAcross) return Plot.axisX({ ...AXIS, ticks: width > 600 ? 8 : width > 300 ? 4 : 2, tickFormat });
  const places = [...new Set(steps)].sort((a, b) => a - b);
  const ticks = places.length <= width / 55 ? places : places.filter((place) => Number.isInteger(Math.log10(place)));
  return Plot.axisX(ticks, { ...AXIS, tickFormat: formatLearningRate });
}

/** A text beside a place. */
const label = (point: Point, text: string, options: Plot.TextOptions): Plot.Markish =>
  Plot.text([point], {
    ...PLACE,
    text: () => text,
    fill: "var(--ink)",
    stroke: "var(--page)",
    strokeWidth: 4,
    fontWeight: 600,
    ...options,
  });

/** A ring around a value and the value in words above it. */
function ring({ raw, marked, tone }: PreparedLine): Plot.Markish[] {
  const point = raw.find(({ step, value }) => step === marked && Number.isFinite(value));
  if (!point) return [];
  return [
    Plot.dot([point], { ...PLACE, r: 6.5, stroke: `var(--${tone})`, strokeWidth: 2 }),
    label(point, formatNumber(point.value), { dy: -15 }),
  ];
}

/** The first and the last value in words, above their dots and inside the frame. */
const endLabels = (points: readonly Point[]): Plot.Markish => [
  label(points[0], formatNumber(points[0].value), { textAnchor: "start", dx: 8, dy: 2 }),
  label(points.at(-1)!, formatNumber(points.at(-1)!.value), { textAnchor: "end", dx: 2, dy: -14 }),
];

/** Where a line begins outside the axis: an arrow, and the value in words. */
function beginnings(lines: readonly PreparedLine[], { domain: [low, high] }: ValueScale): Plot.Markish[] {
  const outside = lines.flatMap(({ ends }) => {
    const first = ends?.[0];
    return first && (first.value > high || first.value < low) ? [first] : [];
  });
  return [...new Map(outside.map((point) => [point.value > high, point])).values()].map((point) => {
    const isAbove = point.value > high;
    const at = { step: point.step, value: isAbove ? high : low };
    return label(at, `${isAbove ? "↑" : "↓"} ${formatNumber(point.value)}`, {
      textAnchor: "start",
      dx: -4,
      dy: isAbove ? -9 : 9,
    });
  });
}

/** A letter behind each line's end, moved aside where two would touch. */
function endLetters(lines: readonly PreparedLine[], y: (value: number) => number, room: number): Plot.Markish[] {
  const ends = lines
    .map(({ ends: own, smoothed, tone, letter }, i) => ({
      point: smoothed.at(-1) ?? own?.[1],
      letter: letter ?? letterOf(i),
      tone,
    }))
    .filter((end): end is typeof end & { point: Point } => end.point !== undefined)
    .map((end) => ({ ...end, at: y(end.point.value) }))
    .sort((a, b) => a.at - b.at);
  let last = Number.NEGATIVE_INFINITY;
  return ends.map(({ point, letter, tone, at }) => {
    last = Math.max(at, last + room);
    return label(point, letter, { textAnchor: "start", dx: 5, dy: last - at, fill: `var(--${tone})` });
  });
}

/** The letter of a line, by its place. */
export const letterOf = (i: number): string => String.fromCharCode(65 + (i % 26)) + (i < 26 ? "" : Math.floor(i / 26));

const valuesOf = (points: readonly Point[]) => points.map(({ value }) => value);

/** The marks of one line, back to front. */
function lineMarks({ raw, smoothed, tone }: PreparedLine, options: DrawOptions, scale: ValueScale): Plot.Markish[] {
  const quiet = smoothed.length > 0;
  const colour = `var(--${tone})`;
  const shape = { ...PLACE, stroke: colour };
  const dashed = { ...shape, strokeDasharray: DASHES[tone] };
  const finite = raw.filter(({ value }) => value >= scale.domain[0] && value <= scale.domain[1]);
  const dots = !quiet && finite.length <= (options.dots ? Number.POSITIVE_INFINITY : FEW_POINTS);
  return [
    quiet
      ? Plot.lineY(crop(raw, scale), { ...shape, strokeWidth: 1, strokeOpacity: 0.3 })
      : Plot.lineY(crop(raw, scale), { ...dashed, strokeWidth: 1.75 }),
    quiet && Plot.lineY(crop(smoothed, scale), { ...dashed, strokeWidth: 2 }),
    options.labels && finite.length > 1 && endLabels(finite),
    dots && Plot.dot(finite, { ...PLACE, r: 2.5, fill: colour }),
  ].filter((mark) => mark !== false && mark !== undefined);
}

/** The scale that suits the lines: of smoothed ones the average, and most of what lies around it. */
export function scaleOf(lines: readonly PreparedLine[], ticks?: number): ValueScale {
  const drawn = lines.map(({ raw, smoothed }) => {
    if (smoothed.length === 0) return valuesOf(raw);
    const around = [0.02, 0.98].map((share) => quantile(valuesOf(raw), share));
    return [...valuesOf(smoothed), ...around];
  });
  return valueScale(drawn, ticks);
}

/** The lines as `plotted` gives them; the first on top. */
export function drawLines(lines: readonly PreparedLine[], options: DrawOptions): Drawing {
  const { width, height, across, value, logAcross = false, letter = 13, letters } = options;
  const limit = Math.min(900, width);
  const drawn = lines.map((line) => ({ ...line, raw: thin(line.raw, limit), smoothed: thin(line.smoothed, limit) }));
  const scale = options.scale ?? scaleOf(drawn, options.ticks);
  const small = letter / 13;
  const margins = {
    marginLeft: 50 * small,
    marginRight: letters ? 26 : 14,
    marginTop: 34 * small,
    marginBottom: 44 * small,
  };
  const frame = [margins.marginTop, height - margins.marginBottom] as const;
  const { svg, x, y } = plotted({
    width,
    height,
    ...margins,
    style: { fontSize: `${letter}px` },
    x: { type: logAcross ? "log" : "linear", domain: stepDomain(drawn, logAcross), axis: null },
    y: { type: scale.type, domain: scale.domain, axis: null },
    marks: [
      Plot.gridY([...scale.ticks], { stroke: "var(--rule)", strokeOpacity: 1 }),
      Plot.axisY([...scale.ticks], { ...AXIS, tickFormat: formatTick }),
      axisAcross(drawn, options),
      ...axisNames({ across, value }, margins.marginLeft, letter),
      ...drawn.toReversed().flatMap((line) => lineMarks(line, options, scale)),
      ...beginnings(drawn, scale),
      ...(letters ? endLetters(drawn, yOf(scale, frame), letter + 1) : []),
      ...drawn.flatMap(ring),
    ],
  });
  const name = (step: number) => `${across} ${formatPlace(step, logAcross)}`;
  return { svg, stops: stopsOf(lines, { x, y, frame, name }), frame };
}

/** Where a value lies between the ends of the frame. */
function yOf({ type, domain }: ValueScale, [top, bottom]: readonly [number, number]): (value: number) => number {
  const flat = (value: number) => (type === "log" ? Math.log(Math.max(value, domain[0] / 2)) : value);
  const [low, high] = domain.map(flat);
  return (value) => bottom - ((flat(value) - low) / (high - low)) * (bottom - top);
}

type Apply = (value: number) => number;

/** A plot as an `<svg class="chart">` without name, its numbers rounded to a hundredth of a pixel, and its scales. */
export function plotted(options: Plot.PlotOptions): { svg: string; x: Apply; y: Apply } {
  const plot = Plot.plot({
    document: document as unknown as Document,
    className: "chart",
    style: { fontSize: "13px" },
    ...options,
  });
  const svg = plot.outerHTML
    .replace(/<style>.*?<\/style>/s, "")
    // names of Plot's groups, which assistive technology must not take for labels
    .replaceAll(" aria-label=", " data-mark=")
    .replace(/ (?:d|transform|x1|x2|y1|y2|cx|cy|x|y)="[^"]*"/g, (part) =>
      part.replace(/-?\d+\.\d{3,}(?:e-?\d+)?/g, (number) => String(+(+number).toFixed(2))),
    );
  const [x, y] = [plot.scale("x"), plot.scale("y")];
  if (!x || !y) throw new InternalError("plot: no scales");
  return { svg, x: x.apply, y: y.apply };
}
