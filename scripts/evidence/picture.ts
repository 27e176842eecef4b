// Rates of rows as a picture: a dot and its interval for each, the best on top, in colours of light and dark pages.
import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";

export interface Rate {
  readonly label: string;
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

const ROW_HEIGHT = 36;
const { document } = parseHTML("<!doctype html><html><body></body></html>");

/** SVG with a title, readable on white and on black. */
export function drawRates(rates: readonly Rate[], title: string): string {
  const sorted = rates.toSorted((a, b) => a.value - b.value);
  const plot = Plot.plot({
    document,
    width: 900,
    height: 85 + ROW_HEIGHT * sorted.length,
    marginLeft: 430,
    marginRight: 60,
    marginBottom: 50,
    style: { fontSize: "13px", background: "white", color: "#222" },
    x: { label: title, labelOffset: 42, grid: true, nice: true },
    y: { label: null, domain: sorted.map(({ label }) => label), tickSize: 0 },
    marks: [
      Plot.axisY({ tickSize: 0, label: null, lineWidth: 30 }),
      Plot.ruleY(sorted, { y: "label", x1: "low", x2: "high", stroke: "#1f6f8b", strokeWidth: 3 }),
      Plot.dot(sorted, { y: "label", x: "value", r: 4.5, fill: "#0b3c49" }),
      Plot.text(sorted, {
        y: "label",
        x: "high",
        text: (row: Rate) => row.value.toFixed(1),
        dx: 8,
        textAnchor: "start",
      }),
    ],
  });
  const svg = plot.outerHTML.replace(/^<svg /, '<svg xmlns="http://www.w3.org/2000/svg" role="img" ');
  return `${svg.replace(/>/, `><title>${title}</title>`)}\n`;
}
