// A line of a chart: as it comes from the metrics, and cut down to what is drawn and told about it.
import { type Point, sample, smooth, thin } from "./series.ts";

/** `accent` and `soft` differ in lightness too, so that they can be told apart without colour. */
export type Tone = "accent" | "soft";

export interface ChartLine {
  readonly label: string;
  readonly points: readonly Point[];
  readonly tone: Tone;
  /** Draw the raw values faintly behind the smoothed ones. Default false: raw values only. */
  readonly smoothed?: boolean;
}

/** A line of bounded size, however many points it had. */
export interface PreparedLine {
  readonly label: string;
  readonly tone: Tone;
  readonly raw: readonly Point[];
  /** Empty where smoothing would add nothing. */
  readonly smoothed: readonly Point[];
  /** Evenly spread, as logged: for the table. */
  readonly samples: readonly Point[];
  /** First and last finite point; undefined where there is none. */
  readonly ends: readonly [Point, Point] | undefined;
}

const MAX_POINTS = 900;
const TABLE_ROWS = 12;

/** In the order of the steps; what no axis can show (not finite, or beyond float32) becomes a gap. */
export function prepareLine(line: ChartLine): PreparedLine {
  const points = line.points.map(({ step, value }) => ({ step, value: Math.abs(value) < 3e38 ? value : Number.NaN }));
  if (points.some(({ step }, i) => i > 0 && step < points[i - 1].step)) points.sort((a, b) => a.step - b.step);
  const drawable = ({ value }: Point) => !Number.isNaN(value);
  const [first, last] = [points.find(drawable), points.findLast(drawable)];
  const window = Math.min(500, Math.round(points.length / 25));
  return {
    label: line.label,
    tone: line.tone,
    raw: thin(points, MAX_POINTS),
    smoothed: line.smoothed && window >= 2 ? thin(smooth(points, window), MAX_POINTS) : [],
    samples: sample(points, TABLE_ROWS),
    ends: first && last && [first, last],
  };
}
