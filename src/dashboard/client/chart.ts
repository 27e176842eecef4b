// Lines over each other as SVG: axes with ticks and titles, a linear or logarithmic value axis, a cursor that reads all of them.
import { formatNumber } from "../../log/format.ts";

export interface Line {
  readonly label: string;
  readonly colour: string;
  readonly dash: string;
  /** In the order of x; null: a gap. */
  readonly points: readonly (readonly [x: number, y: number | null])[];
  /** Drawn over fainter points where there are any. */
  readonly smoothed: readonly (readonly [x: number, y: number | null])[];
}

export interface ChartOptions {
  readonly metric: string;
  readonly across: string;
  readonly isLog: boolean;
}

const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 340;
const MARGIN = { left: 58, right: 14, top: 12, bottom: 42 } as const;

type Scale = (value: number) => number;

/** Draws the lines into `place`; `onCursor` hears of the place under the pointer, undefined: none is. */
export function drawChart(
  place: HTMLElement,
  lines: readonly Line[],
  { metric, across, isLog }: ChartOptions,
  onCursor: (x: number | undefined) => void,
): void {
  const width = Math.max(280, place.clientWidth);
  const all = lines.flatMap(({ points, smoothed }) => [...points, ...smoothed]);
  const usable = all.filter(([, y]) => y !== null && (!isLog || y > 0)) as [number, number][];
  if (usable.length === 0) {
    const text = document.createElement("p");
    text.className = "empty";
    text.textContent = lines.length === 0 ? "Choose runs in the list below." : "No values to draw yet.";
    place.replaceChildren(text);
    return;
  }
  const [left, right] = extent(usable.map(([x]) => x));
  const [low, high] = domain(
    usable.map(([, y]) => y),
    isLog,
  );
  const inner = { width: width - MARGIN.left - MARGIN.right, height: HEIGHT - MARGIN.top - MARGIN.bottom };
  const x: Scale = (value) => MARGIN.left + ((value - left) / (right - left || 1)) * inner.width;
  const [bottom, top] = isLog ? [Math.log(low), Math.log(high)] : [low, high];
  const y: Scale = (value) =>
    MARGIN.top + inner.height * (1 - ((isLog ? Math.log(value) : value) - bottom) / (top - bottom || 1));
  const svg = element("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, height: HEIGHT, role: "img" });
  svg.setAttribute("aria-label", `${metric} across ${across}: ${lines.map((line) => describe(line)).join("; ")}`);
  for (const tick of isLog ? logTicks(low, high) : ticks(low, high, 5)) {
    svg.append(element("line", { class: "grid", x1: MARGIN.left, x2: width - MARGIN.right, y1: y(tick), y2: y(tick) }));
    svg.append(label(formatTick(tick), MARGIN.left - 8, y(tick) + 4, "end"));
  }
  for (const tick of ticks(left, right, width > 600 ? 8 : 4))
    svg.append(label(formatTick(tick), x(tick), HEIGHT - MARGIN.bottom + 18, "middle"));
  svg.append(label(across, MARGIN.left + inner.width / 2, HEIGHT - 6, "middle"));
  for (const line of [...lines].reverse()) {
    const isQuiet = line.smoothed.length > 0;
    svg.append(path(line, line.points, isQuiet ? "raw" : "", { x, y, isLog }));
    if (isQuiet) svg.append(path(line, line.smoothed, "", { x, y, isLog }));
  }
  const cursor = element("line", { class: "cursor", y1: MARGIN.top, y2: HEIGHT - MARGIN.bottom, visibility: "hidden" });
  svg.append(cursor);
  svg.addEventListener("pointermove", (event) => {
    const at = ((event as PointerEvent).clientX - svg.getBoundingClientRect().left) * (width / svg.clientWidth);
    const value = left + ((at - MARGIN.left) / inner.width) * (right - left);
    if (value < left || value > right) return;
    for (const name of ["x1", "x2"]) cursor.setAttribute(name, String(at));
    cursor.setAttribute("visibility", "visible");
    onCursor(value);
  });
  svg.addEventListener("pointerleave", () => {
    cursor.setAttribute("visibility", "hidden");
    onCursor(undefined);
  });
  place.replaceChildren(svg);
}

/** The value of a line nearest to a place; of its end without one. */
export function valueAt(
  { points, smoothed }: Line,
  x: number | undefined,
): readonly [x: number, y: number] | undefined {
  const own = (smoothed.length > 0 ? smoothed : points).filter(([, y]) => y !== null) as [number, number][];
  if (x === undefined) return own.at(-1);
  return own.reduce<[number, number] | undefined>(
    (best, point) => (best && Math.abs(best[0] - x) <= Math.abs(point[0] - x) ? best : point),
    undefined,
  );
}

const describe = (line: Line): string => {
  const last = valueAt(line, undefined);
  return last ? `${line.label} ${formatNumber(last[1])} at ${formatTick(last[0])}` : `${line.label} without values`;
};

function path(
  { colour, dash }: Line,
  points: Line["points"],
  className: string,
  { x, y, isLog }: { readonly x: Scale; readonly y: Scale; readonly isLog: boolean },
): SVGElement {
  let text = "";
  let isDrawing = false;
  for (const [at, value] of points) {
    const isGap = value === null || (isLog && value <= 0);
    if (!isGap) text += `${isDrawing ? "L" : "M"}${x(at).toFixed(1)} ${y(value).toFixed(1)}`;
    isDrawing = !isGap;
  }
  // a single value is a dot
  if (points.length === 1 && text !== "") text += "h0.01";
  const made = element("path", { class: className, d: text, "stroke-dasharray": dash, "stroke-linecap": "round" });
  made.style.stroke = colour;
  return made;
}

function element(name: string, attributes: Readonly<Record<string, string | number>>): SVGElement {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  return made;
}

function label(text: string, x: number, y: number, anchor: string): SVGElement {
  const made = element("text", { x, y, "text-anchor": anchor });
  made.textContent = text;
  return made;
}

const extent = (values: readonly number[]): [number, number] =>
  values.reduce(
    ([low, high], value) => [Math.min(low, value), Math.max(high, value)],
    [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  );

function domain(values: readonly number[], isLog: boolean): [number, number] {
  const [low, high] = extent(values);
  if (isLog) return [low / 1.1, high * 1.1];
  const room = 0.06 * (high - low) || Math.abs(high) * 0.1 || 1;
  return [low - room, high + room];
}

function ticks(low: number, high: number, count: number): number[] {
  const rough = (high - low || 1) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10);
  const first = Math.ceil(low / step);
  return Array.from({ length: Math.max(0, Math.floor(high / step) - first + 1) }, (_, i) => (first + i) * step);
}

function logTicks(low: number, high: number): number[] {
  const found: number[] = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++)
    for (const factor of [1, 2, 5]) found.push(factor * 10 ** power);
  const shown = found.filter((tick) => tick >= low && tick <= high);
  const whole = shown.filter((tick) => Number.isInteger(Math.round(Math.log10(tick) * 1e9) / 1e9));
  if (shown.length < 3) return ticks(low, high, 5).filter((tick) => tick > 0);
  return shown.length > 9 && whole.length > 1 ? whole : shown;
}

const formatTick = (value: number): string => {
  const size = Math.abs(value);
  if (size !== 0 && (size < 0.001 || size >= 1e6)) return value.toExponential(1).replace(".0e", "e").replace("e+", "e");
  return size >= 10_000 ? `${+(value / 1000).toFixed(1)}k` : String(+value.toPrecision(4));
};
