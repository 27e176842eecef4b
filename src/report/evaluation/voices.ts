// Speaker verification on a page: what the equal error rate is made of, the curve of misses against false alarms, the scores.
import * as Plot from "@observablehq/plot";
import { formatCount, formatNumber } from "../../log/format.ts";
import type { DetectionPoint } from "../../metrics/eer.ts";
import type { TrialReport } from "../../superb/measures/measure.types.ts";
import { pictureFigure } from "../kit/chart.ts";
import { formatTick, plotted } from "../kit/draw.ts";
import { thin } from "../kit/line.ts";
import { type Content, html, type Markup } from "../kit/markup.ts";
import { facts, fold } from "../kit/pieces.ts";
import { table } from "../kit/table.ts";
import { formatPercent } from "../results/words.ts";

const SIZE = { width: 440, height: 300, marginLeft: 46, marginRight: 14, marginTop: 10, marginBottom: 40 };
/** Shares in percent that the axes of a detection curve name. */
const TICKS: readonly number[] = [0.1, 0.5, 1, 2, 5, 10, 20, 40, 60, 80, 95];
const BINS = 40;
const MAX_POINTS = 400;

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
function detectionPicture(curve: readonly DetectionPoint[], eer: number): string {
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
  return plotted({
    ...SIZE,
    x: { domain, axis: null },
    y: { domain, axis: null },
    marks: [
      Plot.gridX(ticks, { stroke: "var(--rule)", strokeOpacity: 1 }),
      Plot.gridY(ticks, { stroke: "var(--rule)", strokeOpacity: 1 }),
      Plot.axisX(ticks, { ...axis, label: "false alarms in %" }),
      Plot.axisY(ticks, { ...axis, label: "misses in %" }),
      Plot.link([domain], { x1: "0", y1: "0", x2: "1", y2: "1", stroke: "var(--soft)", strokeDasharray: "3 4" }),
      Plot.line(points, { x: "step", y: "value", stroke: "var(--accent)", strokeWidth: 2, clip: true }),
      Plot.dot([{ at }], { x: "at", y: "at", r: 4.5, fill: "var(--accent)" }),
    ],
  });
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

function histogramPicture(bins: ReturnType<typeof histogram>, threshold: number): string {
  const axis = { tickSize: 0, fill: "var(--muted)" };
  const bars = (y: "other" | "target", fill: string) =>
    Plot.rectY(bins, { x1: "from", x2: "to", y, fill, fillOpacity: 0.55, insetLeft: 0.5, insetRight: 0.5 });
  return plotted({
    ...SIZE,
    x: { domain: [bins[0].from, bins[bins.length - 1].to], axis: null },
    marks: [
      Plot.gridY({ stroke: "var(--rule)", strokeOpacity: 1, ticks: 4 }),
      Plot.axisX({ ...axis, label: "score", ticks: 4, tickFormat: formatTick }),
      Plot.axisY({ ...axis, label: "% of trials", ticks: 4 }),
      bars("other", "var(--soft)"),
      bars("target", "var(--accent)"),
      Plot.ruleX([threshold], { stroke: "var(--ink)", strokeDasharray: "3 3" }),
    ],
  });
}

/** Both pictures with their numbers. */
export function trialPictures(report: TrialReport): Content {
  const { curve, eer, threshold } = report;
  const bins = histogram(report);
  const detection = pictureFigure(
    "Misses and false alarms",
    `Detection error tradeoff of ${formatCount(curve.length - 1)} thresholds on axes of normal deviates; it meets the diagonal at ${formatPercent(eer)}.`,
    detectionPicture(curve, eer),
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
  const key = html`<ul class="key"><li>one speaker</li><li class="soft">two speakers</li></ul>`;
  const scores = pictureFigure(
    "Scores",
    `Cosines of trials of one speaker and of two, in ${BINS} steps; misses and false alarms are equally frequent at ${formatNumber(threshold)}.`,
    histogramPicture(bins, threshold),
    key,
  );
  return html`<div class="columns">${[detection, scores]}</div>`;
}
