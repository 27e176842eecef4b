// Speaker verification on a page: what the equal error rate is made of, the curve of misses against false alarms, the scores.
import * as Plot from "@observablehq/plot";
import { formatCount, formatNumber } from "../../log/format.ts";
import type { DetectionPoint } from "../../metrics/eer.ts";
import type { TrialReport } from "../../superb/measures/measure.types.ts";
import { lineKey, pictureFigure } from "../kit/chart.ts";
import { axisNames, DASHES, formatTick, plotted } from "../kit/draw.ts";
import type { Stop } from "../kit/hover.ts";
import { sample, thin } from "../kit/line.ts";
import { type Content, html, type Markup } from "../kit/markup.ts";
import { facts, fold } from "../kit/pieces.ts";
import { table } from "../kit/table.ts";
import { formatPercent } from "../results/words.ts";

const SIZE = { width: 440, height: 324, marginLeft: 50, marginRight: 14, marginTop: 34, marginBottom: 44 };
const FRAME = [SIZE.marginTop, SIZE.height - SIZE.marginBottom] as const;
/** Shares in percent that the axes of a detection curve name. */
const TICKS: readonly number[] = [0.1, 0.5, 1, 2, 5, 10, 20, 40, 60, 80, 95];
const BINS = 40;
const MAX_POINTS = 400;
const TOLD = 200;

/** A picture and what it tells at each place. */
type Drawn = { readonly svg: string; readonly stops: readonly Stop[] };

const percent = (share: number) => formatPercent(100 * share);

export function trialFacts(report: TrialReport): Markup {
  const { eer, threshold, missRate, falseAlarmRate, cost, targets, nonTargets, speakers } = report;
  return facts([
    ["Trials", `${formatCount(targets)} of one speaker, ${formatCount(nonTargets)} of two, among ${formatCount(speakers)} speakers`],
    ["Equal error rate", `${formatPercent(eer)}, interpolated; at a score of ${formatNumber(threshold)} ${percent(missRate)} of the trials of one speaker are missed, and ${percent(falseAlarmRate)} of the others accepted`],
    ["Least cost", `${cost.cost.toFixed(3)} (minDCF: prior 0.05, both costs 1), at a score of ${Number.isFinite(cost.threshold) ? formatNumber(cost.threshold) : "none: nothing is accepted"}`],
    ["Interval", "drawn over speakers, because trials share them"],
  ]); // biome-ignore format: one line a fact
}

/** Inverse of the normal distribution. */
function probit(p: number): number {
  if (p < 0.5) return -probit(1 - p);
  // Abramowitz and Stegun 26.2.23, error below 4.5e-4: a hundredth of a pixel
  const t = Math.sqrt(-2 * Math.log(1 - p));
  const above = 2.515517 + t * (0.802853 + t * 0.010328);
  const below = 1 + t * (1.432788 + t * (0.189269 + t * 0.001308));
  return t - above / below;
}

/** Curve on axes of normal deviates, where that of two normal distributions is a straight line. */
function detectionPicture(curve: readonly DetectionPoint[], eer: number): Drawn {
  const inside = curve.filter(({ missRate, falseAlarmRate }) => missRate > 0 && falseAlarmRate > 0 && missRate < 1 && falseAlarmRate < 1); // biome-ignore format: one line
  const points = thin(inside.map(({ missRate, falseAlarmRate }) => ({ step: probit(falseAlarmRate), value: probit(missRate) })), MAX_POINTS); // biome-ignore format: one line
  const at = probit(Math.min(0.999, Math.max(0.0005, eer / 100)));
  // beyond a few misses or alarms of thousands there is nothing to see
  const least = Math.min(...points.flatMap(({ step, value }) => [step, value]), at);
  const domain = [Math.max(probit(0.001), Math.min(probit(0.02), least)) - 0.1, Math.max(probit(0.6), at + 0.5)];
  const ticks = TICKS.map((share) => probit(share / 100)).filter((tick) => tick >= domain[0] && tick <= domain[1]);
  const shares = new Map(TICKS.map((share) => [probit(share / 100), `${share}`]));
  const tickFormat = (tick: number) => shares.get(tick) ?? "";
  const axis = { tickSize: 0, fill: "var(--muted)", ticks, tickFormat };
  const { svg, x, y } = plotted({
    ...SIZE,
    x: { domain, axis: null },
    y: { domain, axis: null },
    marks: [
      Plot.gridX(ticks, { stroke: "var(--rule)", strokeOpacity: 1 }),
      Plot.gridY(ticks, { stroke: "var(--rule)", strokeOpacity: 1 }),
      Plot.axisX(ticks, { ...axis, label: null }),
      Plot.axisY(ticks, { ...axis, label: null }),
      ...axisNames({ across: "false alarms (%)", value: "misses (%)" }, SIZE.marginLeft),
      Plot.link([domain], { x1: "0", y1: "0", x2: "1", y2: "1", stroke: "var(--soft)", strokeDasharray: "3 4" }),
      Plot.line(points, { x: "step", y: "value", stroke: "var(--accent)", strokeWidth: 2, clip: true }),
      Plot.dot([{ at }], { x: "at", y: "at", r: 4.5, fill: "var(--accent)" }),
    ],
  });
  const visible = inside.filter(({ missRate, falseAlarmRate }) => [missRate, falseAlarmRate].every((rate) => probit(rate) >= domain[0] && probit(rate) <= domain[1])); // biome-ignore format: one line
  const stops = sample(visible, TOLD).map(({ missRate, falseAlarmRate, threshold }) => ({
    x: x(probit(falseAlarmRate)),
    name: `false alarms ${percent(falseAlarmRate)}`,
    values: [{ line: 0, y: y(probit(missRate)), text: `${percent(missRate)}, score from ${formatNumber(threshold)}` }],
  }));
  return { svg: svg.replaceAll(/plot-clip-\d+/g, "detection-clip"), stops };
}

/** Shares of trials of each kind by their score. */
function histogram({ scores, isTarget }: TrialReport) {
  const [low, high] = [scores.reduce((a, b) => Math.min(a, b)), scores.reduce((a, b) => Math.max(a, b))];
  const width = (high - low || 1) / BINS;
  const counts = [new Float64Array(BINS), new Float64Array(BINS)];
  for (const [i, score] of scores.entries()) {
    const bin = Math.min(BINS - 1, Math.floor((score - low) / width));
    counts[Number(isTarget[i])][bin] += 1;
  }
  const totals = counts.map((list) => list.reduce((sum, count) => sum + count, 0));
  return Array.from({ length: BINS }, (_, bin) => ({
    from: low + bin * width,
    to: low + (bin + 1) * width,
    other: (100 * counts[0][bin]) / totals[0],
    target: (100 * counts[1][bin]) / totals[1],
  }));
}

function histogramPicture(bins: ReturnType<typeof histogram>, threshold: number): Drawn {
  const axis = { tickSize: 0, fill: "var(--muted)", label: null };
  const place = { x1: "from", x2: "to", insetLeft: 0.5, insetRight: 0.5 };
  const { svg, x, y } = plotted({
    ...SIZE,
    x: { domain: [bins[0].from, bins[bins.length - 1].to], axis: null },
    marks: [
      Plot.gridY({ stroke: "var(--rule)", strokeOpacity: 1, ticks: 4 }),
      Plot.axisX({ ...axis, ticks: 4, tickFormat: formatTick }),
      Plot.axisY({ ...axis, ticks: 4 }),
      ...axisNames({ across: "score", value: "share of its trials (%)" }, SIZE.marginLeft),
      Plot.rectY(bins, { ...place, y: "target", fill: "var(--accent)", fillOpacity: 0.6 }),
      Plot.rectY(bins, { ...place, y: "other", stroke: "var(--soft)", strokeWidth: 1.5, strokeDasharray: DASHES.soft }),
      Plot.ruleX([threshold], { stroke: "var(--ink)", strokeDasharray: "3 3" }),
    ],
  });
  const stops = bins.map(({ from, to, target, other }) => ({
    x: x((from + to) / 2),
    name: `score ${formatNumber(from)} to ${formatNumber(to)}`,
    values: [target, other].map((share, line) => ({ line, y: y(share), text: formatPercent(share) })),
  }));
  return { svg, stops };
}

/** Both pictures with their numbers. */
export function trialPictures(report: TrialReport): Content {
  const { curve, eer, threshold } = report;
  const bins = histogram(report);
  const [curvePicture, scorePicture] = [detectionPicture(curve, eer), histogramPicture(bins, threshold)];
  const detection = pictureFigure(
    "Misses and false alarms",
    `Detection error tradeoff of ${formatCount(curve.length - 1)} thresholds on axes of normal deviates; it meets the diagonal at ${formatPercent(eer)}.`,
    { ...curvePicture, frame: FRAME, lines: [{ label: "misses", tone: "accent" }] },
    fold(
      "Numbers",
      table({
        columns: ["misses", "false alarms", "score from"],
        rows: [0.01, 0.02, 0.05, 0.1, 0.2, 0.5].map((alarms) => {
          const point = curve.findLast(({ falseAlarmRate }) => falseAlarmRate <= alarms) ?? curve[0];
          return [percent(point.missRate), percent(point.falseAlarmRate), formatNumber(point.threshold)];
        }),
      }),
    ),
  );
  const kinds = [{ label: "one speaker", tone: "accent" }, { label: "two speakers", tone: "soft" }] as const; // biome-ignore format: one line
  const scores = pictureFigure(
    "Scores",
    `Cosines of trials of one speaker and of two, in ${BINS} steps; misses and false alarms are equally frequent at ${formatNumber(threshold)}.`,
    { ...scorePicture, frame: FRAME, lines: kinds },
    lineKey(kinds),
  );
  return html`<div class="columns">${[detection, scores]}</div>`;
}
