// Scores of rows as pictures: a dot and its interval for each, the best on top, in colours of light and dark pages.
import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";

export interface Score {
  readonly label: string;
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

const ROW_HEIGHT = 36;
const [WIDTH, LABELS] = [900, 430];
const INK = { interval: "#1f6f8b", dot: "#0b3c49" };
const { document } = parseHTML("<!doctype html><html><body></body></html>");

/** SVG of error rates, the lowest on top, each with its number. */
export function drawRates(rates: readonly Score[], title: string): string {
  const sorted = rates.toSorted((a, b) => a.value - b.value);
  return svgOf(title, sorted, [
    ...dots(sorted),
    Plot.text(sorted, {
      y: "label",
      x: "high",
      text: ({ value }: Score) => value.toFixed(1),
      dx: 8,
      textAnchor: "start",
    }),
  ]);
}

/** SVG of accuracies of several probes side by side; rows in the order of their means. */
export function drawAccuracies(scores: readonly (Score & { readonly probe: string })[], title: string): string {
  const mean = (label: string) => {
    const values = scores.filter((score) => score.label === label).map(({ value }) => value);
    return values.reduce((sum, value) => sum + value, 0) / values.length;
  };
  const sorted = scores.toSorted((a, b) => mean(b.label) - mean(a.label));
  return svgOf(title, sorted, dots(sorted, "probe"), { fx: { label: null, padding: 0.12 }, x: { ticks: 4 } });
}

const dots = (scores: readonly Score[], fx?: string) => [
  Plot.ruleY(scores, { y: "label", fx, x1: "low", x2: "high", stroke: INK.interval, strokeWidth: 3 }),
  Plot.dot(scores, { y: "label", fx, x: "value", r: 4.5, fill: INK.dot }),
];

/** With a title, readable on white and on black. */
function svgOf(title: string, sorted: readonly Score[], marks: Plot.Markish[], more: Plot.PlotOptions = {}): string {
  const labels = [...new Set(sorted.map(({ label }) => label))];
  const plot = Plot.plot({
    document,
    width: WIDTH,
    height: 85 + ROW_HEIGHT * labels.length,
    marginLeft: LABELS,
    marginRight: 60,
    marginBottom: 50,
    style: { fontSize: "13px", background: "white", color: "#222" },
    ...more,
    x: { label: title, labelOffset: 42, grid: true, nice: true, ...more.x },
    y: { label: null, domain: labels, tickSize: 0 },
    marks: [Plot.axisY({ tickSize: 0, label: null, lineWidth: 30 }), ...marks],
  });
  const svg = plot.outerHTML.replace(/^<svg /, '<svg xmlns="http://www.w3.org/2000/svg" role="img" ');
  return `${svg.replace(/>/, `><title>${title}</title>`)}\n`;
}
