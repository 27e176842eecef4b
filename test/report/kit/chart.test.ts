// Charts over learning rates: a logarithmic axis, a ringed value, axes that need not begin at 0.

import { parseHTML } from "linkedom";
import { describe, expect, test } from "vitest";
import { formatLearningRate } from "../../../src/log/index.ts";
import { chart } from "../../../src/report/kit/chart.ts";

const points = [
  { step: 1e-4, value: 30 },
  { step: 1e-3, value: 20 },
  { step: 1e-2, value: 25 },
];
const sweep = (options: Partial<Parameters<typeof chart>[0]> = {}) =>
  parseHTML(
    `<main>${
      chart({
        title: "Sweep",
        value: "PER (%)",
        across: "learning rate",
        dots: true,
        lines: [{ label: "PER", points, tone: "accent" }],
        ...options,
      }).text
    }</main>`,
  ).document;

const numbers = (elements: Iterable<Element>, name: string) =>
  [...elements].map((element) => Number(element.getAttribute(name)));

describe("a chart over learning rates", () => {
  test("a chart over learning rates stands equal factors equally far apart and names them", () => {
    const document = sweep();
    const [a, b, c] = numbers(document.querySelectorAll("g[data-mark=dot] circle"), "cx");
    expect(b - a).toBeCloseTo(c - b, 1);
    const text = document.querySelector("svg")!.textContent;
    for (const place of ["1e-4", "1e-3", "1e-2"]) expect(text).toContain(place);
    expect(document.querySelector("desc")!.textContent).toBe(
      "PER: 30.00 at learning rate 1e-4, 25.00 at learning rate 1e-2.",
    );
    expect(document.querySelector("tbody th")!.textContent).toBe("1e-4");
  });

  test("a chart rings the marked value and writes it; a place without a value has no ring", () => {
    const ringed = (marked: number) => sweep({ lines: [{ label: "PER", points, tone: "accent", marked }] });
    const rings = (marked: number) =>
      [...ringed(marked).querySelectorAll("circle")].filter((circle) => circle.getAttribute("r") === "6.5");
    expect(rings(1e-3)).toHaveLength(1);
    expect(ringed(1e-3).querySelector("svg")!.textContent).toContain("20.00");
    expect(rings(5)).toHaveLength(0);
  });

  test("a chart leaves out rates that a logarithmic axis lacks, and may hold a single one", () => {
    const odd = [
      { step: 0, value: 1 },
      { step: -1, value: 1 },
      { step: Number.NaN, value: 1 },
      { step: 1e-3, value: 20 },
    ];
    const document = sweep({ lines: [{ label: "PER", points: odd, tone: "accent" }] });
    expect(document.querySelectorAll("g[data-mark=dot] circle")).toHaveLength(1);
    expect(document.querySelector("svg")!.outerHTML).not.toMatch(/NaN|undefined|Infinity/);
  });

  test("a chart has identifiers of its own where titles repeat", () => {
    expect(sweep({ id: "run 7" }).querySelector("title")!.id).toBe("chart-run-7-title");
  });
});

test("learning rates are written in powers of ten", () => {
  expect([0.1, 0.01, 0.0005, 1e-7, 1, 2.5e-4, 0.30000000000000004].map(formatLearningRate)).toEqual([
    "1e-1",
    "1e-2",
    "5e-4",
    "1e-7",
    "1e0",
    "2.5e-4",
    "3e-1",
  ]);
});
