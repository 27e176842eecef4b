// What an axis of values covers: the change, not one first outlier; powers of ten where the values span them.
import { type Point, quantile } from "./line.ts";

export interface ValueScale {
  readonly type: "linear" | "log";
  readonly domain: readonly [low: number, high: number];
  /** Round numbers inside. */
  readonly ticks: readonly number[];
}

/** Values from so many times the middle one down would be squashed: decades. */
const DECADES = 10;
/** The smallest value below this share of the largest: the axis begins at 0. */
const NEAR_ZERO = 0.4;
/** The beginning of a line that may be left out, as a share of its points; one at least. */
const BEGINNING = 0.02;
const FEW_POINTS = 5;
const APART = 2;
/** What may stay empty between the outermost value and the next round number, and what is left where that is further; of a step. */
const [ROOM, MARGIN] = [0.4, 0.12];

const outermost = (values: readonly number[]): [number, number] => [
  values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY),
  values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY),
];

/** All values; without the beginning of each line where that lies further away than twice what all others lie apart. */
function shown(lines: readonly (readonly number[])[]): number[] {
  const all = lines.flat();
  const parts = lines.map((line) => {
    const count = line.length < FEW_POINTS ? 0 : Math.max(1, Math.floor(BEGINNING * line.length));
    return [line.slice(0, count), line.slice(count)];
  });
  const rest = parts.flatMap(([, later]) => later);
  if (rest.length < FEW_POINTS - 1) return all;
  const [low, high] = outermost(rest);
  const [lowest, highest] = outermost(parts.flatMap(([first]) => first));
  const far = APART * (high - low);
  return far > 0 && (highest > high + far || lowest < low - far) ? rest : all;
}

/** `lines`: the values of each in their order. With no finite value the axis is from 0 to 1. */
export function valueScale(lines: readonly (readonly number[])[], wantedTicks = 5): ValueScale {
  const values = shown(lines.map((line) => line.filter(Number.isFinite)));
  if (values.length === 0) return roundTicks(0, 1, wantedTicks);
  const [low, high] = outermost(values);
  if (low > 0 && high / low >= 2 * DECADES && quantile(values, 0.5) < high / DECADES)
    return logarithmic(low, high, wantedTicks);
  if (low === high) return low === 0 ? roundTicks(0, 1, wantedTicks) : around(low, wantedTicks);
  return roundTicks(low >= 0 && low < NEAR_ZERO * high ? 0 : low, high, wantedTicks);
}

/** An axis around the one value there is, 0 included. */
const around = (value: number, wantedTicks: number) =>
  roundTicks(Math.min(0, 1.25 * value), Math.max(0, 1.25 * value), wantedTicks);

/** Below it a number has too few digits to be parted. */
const LEAST_STEP = 1e-290;

/** A step of 1, 2 or 5 times a power of ten, of which about `count` make `range`. */
function roundStep(range: number, count: number): number {
  const part = Math.max(LEAST_STEP, range / count);
  const power = 10 ** Math.floor(Math.log10(part));
  const times = part / power;
  return power * (times < 1.5 ? 1 : times < 3.5 ? 2 : times < 7.5 ? 5 : 10);
}

/** An axis from `low` to `high` or a little more, with round numbers, about `wantedTicks` of them. */
export function roundTicks(low: number, high: number, wantedTicks: number): ValueScale {
  const step = roundStep(high - low, wantedTicks - 1);
  // rounding errors of a division must not cost or add a step
  const [first, last] = [Math.floor(low / step + 1e-9), Math.ceil(high / step - 1e-9)];
  const all = Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
  // an axis goes on to the next round number only where that is near
  const from = low - all[0] > ROOM * step ? low - MARGIN * step : Math.min(low, all[0]);
  const end = all[all.length - 1];
  const to = end - high > ROOM * step ? high + MARGIN * step : Math.max(high, end);
  return { type: "linear", domain: [from, to], ticks: all.filter((tick) => tick >= from && tick <= to) };
}

function logarithmic(low: number, high: number, wantedTicks: number): ValueScale {
  const [first, last] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  const decades = Array.from({ length: last - first + 1 }, (_, i) => 10 ** (first + i));
  const every = Math.ceil(decades.length / (wantedTicks + 1));
  const [from, to] = [0.85 * low, 1.15 * high];
  const fine = decades.length <= 3 ? decades.flatMap((decade) => [decade, 2 * decade, 5 * decade]) : decades;
  const ticks = (decades.length <= 3 ? fine : decades.filter((_, i) => i % every === 0)).filter(
    (tick) => tick >= from && tick <= to,
  );
  return { type: "log", domain: [from, to], ticks };
}

/** The line inside the scale: it ends where it leaves, and what lies outside is a gap. */
export function crop(points: readonly Point[], { type, domain: [low, high] }: ValueScale): Point[] {
  const flat = (value: number) => (type === "log" ? Math.log(Math.max(value, Number.MIN_VALUE)) : value);
  const inside = ({ value }: Point) => value >= low && value <= high;
  const crossing = (a: Point, b: Point, edge: number): Point => {
    const share = (flat(edge) - flat(a.value)) / (flat(b.value) - flat(a.value));
    return { step: a.step + share * (b.step - a.step), value: edge };
  };
  return points.flatMap((point, i) => {
    const before = points[i - 1];
    const crossings =
      before && Number.isFinite(before.value) && Number.isFinite(point.value)
        ? [low, high]
            .filter((edge) => (before.value - edge) * (point.value - edge) < 0)
            .map((edge) => crossing(before, point, edge))
            .sort((a, b) => a.step - b.step)
        : [];
    return [...crossings, inside(point) ? point : { step: point.step, value: Number.NaN }];
  });
}
