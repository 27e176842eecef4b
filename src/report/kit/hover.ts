// What a chart tells at each place along its axis: read out by the page's script under the pointer and by the arrow keys.
import { formatNumber } from "../../log/format.ts";
import type { PreparedLine, Told } from "./line.ts";
import { type Content, html, type Markup } from "./markup.ts";

/** One place: where it lies in the picture, its name, and the values there of the lines that have one. */
export interface Stop {
  readonly x: number;
  readonly name: string;
  readonly values: readonly { readonly line: number; readonly y: number; readonly text: string }[];
}

export interface StopOptions {
  /** Place and value -> the picture's own units. */
  readonly x: (step: number) => number;
  readonly y: (value: number) => number;
  /** Values beyond it lie on its edge. */
  readonly frame: readonly [top: number, bottom: number];
  readonly name: (step: number) => string;
}

/** A value further away than this share of the axis is not one of the place. */
const REACH = 1 / 50;

/** The nearest of `told`, which is in the order of the steps. */
function nearest(told: readonly Told[], step: number): Told | undefined {
  let [low, high] = [0, told.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (told[middle].step < step) low = middle + 1;
    else high = middle;
  }
  const [before, after] = [told[low - 1], told[low]];
  if (before === undefined || after === undefined) return after ?? before;
  return step - before.step < after.step - step ? before : after;
}

/** The places at which any of the lines has a value that is told. */
export function stopsOf(lines: readonly Pick<PreparedLine, "told">[], { x, y, frame, name }: StopOptions): Stop[] {
  const steps = [...new Set(lines.flatMap(({ told }) => told.map(({ step }) => step)))].sort((a, b) => a - b);
  const width = steps.length > 0 ? Math.abs(x(steps[steps.length - 1]) - x(steps[0])) : 0;
  const inside = (place: number) => Math.min(frame[1], Math.max(frame[0], place));
  return steps.map((step) => ({
    x: x(step),
    name: name(step),
    values: lines.flatMap(({ told }, line) => {
      const own = nearest(told, step);
      if (!own || Math.abs(x(own.step) - x(step)) > REACH * width) return [];
      const average = own.smoothed === undefined ? "" : `, average ${formatNumber(own.smoothed)}`;
      const where = own.step === step ? "" : ` (${name(own.step)})`;
      return [{ line, y: inside(y(own.smoothed ?? own.value)), text: `${formatNumber(own.value)}${average}${where}` }];
    }),
  }));
}

export interface PlotOptions {
  readonly className?: string;
  readonly title: string;
  readonly lines: readonly Pick<PreparedLine, "label" | "tone">[];
  readonly stops: readonly Stop[];
  readonly frame: StopOptions["frame"];
}

const short = (place: number) => String(+place.toFixed(1));

/** A picture with what it tells. Lines of text, fields parted by tabs: quotation marks of JSON would take six characters each. */
export function plot(picture: Content, { className = "", title, lines, stops, frame }: PlotOptions): Markup {
  const told = stops.map(({ x, name, values }) =>
    [short(x), name, ...values.flatMap(({ line, y, text }) => [String(line), short(y), text])].join("\t"),
  );
  const names = lines.map(({ label, tone }) => `${tone}\t${label.replace(/\s+/g, " ")}`);
  return html`<div class="plot ${className}" data-name="${title}" data-frame="${frame.map(short).join(" ")}" data-lines="${names.join("\n")}" data-stops="${told.join("\n")}">${picture}</div>`;
}

/** A picture whose parts tell what they are: every element inside with `data-tip`. */
export const marks = (picture: Content, title: string): Markup =>
  html`<div class="plot" data-name="${title}" data-marks="">${picture}</div>`;
