// Lines of a chart: series as they come from the metrics, smoothed, and cut down to what is drawn and told about them.

export interface Point {
  readonly step: number;
  readonly value: number;
}

/**
 * Moving average over `window` points, centred, so that it does not lag behind; towards the ends the window shrinks on
 * both sides alike, down to a third, below which single values would show through. Values that are not finite are left out.
 */
export function smooth(points: readonly Point[], window: number): Point[] {
  const finite = points.filter(({ value }) => Number.isFinite(value));
  const half = Math.floor(Math.max(1, window) / 2);
  const sums = new Float64Array(finite.length + 1);
  finite.forEach(({ value }, i) => {
    sums[i + 1] = sums[i] + value;
  });
  return finite.map(({ step }, i) => {
    const reach = Math.max(Math.min(half, i, finite.length - 1 - i), Math.floor(half / 3));
    const [start, end] = [Math.max(0, i - reach), Math.min(finite.length, i + reach + 1)];
    return { step, value: (sums[end] - sums[start]) / (end - start) };
  });
}

/**
 * At most `limit` points with the same outline: of each stretch of points the smallest and the largest, in order, and
 * the last point of all. A stretch without a finite value leaves one NaN: a gap in the line.
 */
export function thin(points: readonly Point[], limit: number): Point[] {
  if (points.length <= limit) return [...points];
  const stretches = Math.max(1, Math.floor((limit - 1) / 2));
  const out: Point[] = [];
  for (let i = 0; i < stretches; i++) {
    const start = Math.floor((i * points.length) / stretches);
    const end = Math.floor(((i + 1) * points.length) / stretches);
    let low: number | undefined;
    let high: number | undefined;
    for (let at = start; at < end; at++) {
      const { value } = points[at];
      if (!Number.isFinite(value)) continue;
      if (low === undefined || value < points[low].value) low = at;
      if (high === undefined || value > points[high].value) high = at;
    }
    if (low === undefined || high === undefined) out.push({ step: points[start].step, value: Number.NaN });
    else for (const at of new Set([Math.min(low, high), Math.max(low, high)])) out.push(points[at]);
  }
  const last = points.at(-1)!;
  if (out.at(-1) !== last) out.push(last);
  return out;
}

/** `count` points spread evenly over the series, first and last among them: for tables. */
export function sample<T>(items: readonly T[], count: number): T[] {
  if (items.length <= count) return [...items];
  return Array.from({ length: count }, (_, i) => items[Math.round((i * (items.length - 1)) / (count - 1))]);
}

/** The value that a share `q` (0..1) of the finite values does not exceed; NaN where there is none. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = Float64Array.from(values.filter(Number.isFinite)).sort();
  return sorted.length ? sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] : Number.NaN;
}

/** Colours of lines, each with dashes of its own, so that lines can be told apart without colour. */
export const TONES = ["accent", "soft", "blue", "amber", "rose", "violet", "olive", "pink"] as const;

export type Tone = (typeof TONES)[number];

/** A value that is read out, as logged, and what the average is there. */
export interface Told extends Point {
  readonly smoothed?: number;
}

export interface ChartLine {
  readonly label: string;
  readonly points: readonly Point[];
  readonly tone: Tone;
  /** Draw the raw values faintly behind the smoothed ones. Default false: raw values only. */
  readonly smoothed?: boolean;
  /** A place along the axis whose value is ringed. */
  readonly marked?: number;
  /** Stands at its end and in the key where a chart shows letters. Default: by its place. */
  readonly letter?: string;
}

/** A line of bounded size, however many points it had. */
export interface PreparedLine extends Pick<ChartLine, "label" | "tone" | "marked" | "letter"> {
  readonly raw: readonly Point[];
  /** Empty where smoothing would add nothing. */
  readonly smoothed: readonly Point[];
  /** Evenly spread, as logged: for the table. */
  readonly samples: readonly Point[];
  /** Evenly spread and finite: to be read out one by one. */
  readonly told: readonly Told[];
  /** First and last finite point; undefined where there is none. */
  readonly ends: readonly [Point, Point] | undefined;
}

const MAX_POINTS = 900;
const TABLE_ROWS = 12;
const TOLD = 200;

/** In the order of the steps; what no axis can show (not finite, or beyond float32) becomes a gap. */
export function prepareLine(line: ChartLine): PreparedLine {
  const points = line.points.map(({ step, value }) => ({ step, value: Math.abs(value) < 3e38 ? value : Number.NaN }));
  if (points.some(({ step }, i) => i > 0 && step < points[i - 1].step)) points.sort((a, b) => a.step - b.step);
  const finite = points.filter(({ value }) => !Number.isNaN(value));
  const [first, last] = [finite[0], finite.at(-1)];
  const window = Math.min(500, Math.round(points.length / 25));
  const smoothed = line.smoothed && window >= 2 ? smooth(finite, window) : [];
  const told = sample([...finite.keys()], TOLD).map((i) => {
    return smoothed.length ? { ...finite[i], smoothed: smoothed[i].value } : finite[i];
  });
  return {
    label: line.label,
    tone: line.tone,
    marked: line.marked,
    letter: line.letter,
    raw: thin(points, MAX_POINTS),
    smoothed: thin(smoothed, MAX_POINTS),
    samples: sample(points, TABLE_ROWS),
    told,
    ends: first && last && [first, last],
  };
}
