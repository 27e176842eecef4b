// Error rate against latency, a point a setting, with the whole as a line to come close to.
import * as Plot from "@observablehq/plot";
import { pictureFigure } from "../kit/chart.ts";
import { axisNames, plotted } from "../kit/draw.ts";
import type { Markup } from "../kit/markup.ts";
import type { StreamingMeasurement } from "./measure.ts";

const AXIS = { tickSize: 0, fill: "var(--muted)", label: null } as const;
const SIZE = { width: 860, height: 330, marginLeft: 50, marginTop: 34, marginRight: 60, marginBottom: 44 };

/** The figure. Lines at every point are its 95 % interval. */
export function lossAgainstLatency({ metric, whole, settings }: StreamingMeasurement): Markup {
  const points = settings.map(({ facts: { chunk, left, right, latencySeconds }, rate, loss }) => ({
    latency: latencySeconds,
    rate,
    low: whole.rate + loss.low,
    high: whole.rate + loss.high,
    name: [chunk, left, right].map((value) => Number(value.toFixed(2))).join("/"),
  }));
  const end = Math.max(...points.map(({ latency }) => latency));
  const { svg, x, y } = plotted({
    ...SIZE,
    x: { domain: [0, end * 1.12], label: null },
    y: { label: null, nice: true },
    marks: [
      Plot.axisX(AXIS),
      Plot.axisY({ ...AXIS, ticks: 5 }),
      ...axisNames({ across: "latency (s)", value: `${metric} (%)` }, SIZE.marginLeft),
      Plot.gridY({ stroke: "var(--rule)" }),
      Plot.ruleY([whole.rate], { stroke: "var(--muted)", strokeDasharray: "4 3" }),
      Plot.text([{ latency: end * 1.12, rate: whole.rate }], {
        x: "latency",
        y: "rate",
        text: () => "whole",
        dx: 30,
        fill: "var(--muted)",
      }),
      Plot.ruleX(points, { x: "latency", y1: "low", y2: "high", stroke: "var(--accent)", strokeOpacity: 0.4 }),
      Plot.dot(points, { x: "latency", y: "rate", fill: "var(--accent)", r: 4 }),
      Plot.text(points, { x: "latency", y: "rate", text: "name", dx: 9, textAnchor: "start", fill: "var(--ink)" }),
    ],
  });
  const said = points.map(({ name, latency, rate }) => `${name}: ${rate.toFixed(2)} % at ${latency.toFixed(2)} s.`);
  return pictureFigure(
    `${metric} against latency`,
    `The whole: ${whole.rate.toFixed(2)} %. ${said.join(" ")}`,
    {
      svg,
      frame: [SIZE.marginTop, SIZE.height - SIZE.marginBottom],
      lines: [{ label: metric, tone: "accent" }],
      stops: points.map(({ name, latency, rate }) => ({
        x: x(latency),
        name: `${name} s, latency ${latency.toFixed(3)} s`,
        values: [{ line: 0, y: y(rate), text: `${rate.toFixed(2)} %` }],
      })),
    },
    false,
  );
}
