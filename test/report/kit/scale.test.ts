// What the axes of charts cover, and what a chart tells under the pointer.
import fc from "fast-check";
import { parseHTML } from "linkedom";
import { describe, expect, test } from "vitest";
import { chart } from "../../../src/report/kit/chart.ts";
import { crop, valueScale } from "../../../src/report/kit/scale.ts";

describe("the scale of values", () => {
  test("a scale shows the change: it begins at 0 only where the values come near", () => {
    expect(valueScale([[61.2, 57.6, 60.4]]).domain[0]).toBeGreaterThan(57);
    expect(valueScale([[61.2, 57.6, 60.4]]).domain[1]).toBeLessThan(62);
    expect(valueScale([[3, 1.2, 0.7, 0.6]]).domain[0]).toBe(0);
    expect(valueScale([[-2, 3]]).ticks).toContain(0);
  });

  test("a scale leaves out one first outlier, and keeps a first value that the others lead up to", () => {
    const outlier = [5.4, 2.1, 2, 1.95, 1.9, 1.85, 1.8];
    expect(valueScale([outlier]).domain[1]).toBeLessThan(2.3);
    expect(valueScale([[0.1, 2.1, 2, 1.95, 1.9, 1.85, 1.8]]).domain[0]).toBeGreaterThan(1.5);
    expect(valueScale([[5.4, 4.2, 3.3, 2.7, 2.3, 2, 1.8]]).domain[1]).toBeGreaterThanOrEqual(5.4);
    // of a long line its first fiftieth
    const long = Array.from({ length: 500 }, (_, i) => (i < 9 ? 100 - i : 2 + Math.sin(i)));
    expect(valueScale([long]).domain[1]).toBeLessThan(4);
    expect(valueScale([long.toReversed()]).domain[1]).toBeGreaterThan(99);
  });

  test("a scale is logarithmic where values span decades, and not because of one small value", () => {
    const decades = Array.from({ length: 100 }, (_, i) => 10 ** (2 - i / 20));
    expect(valueScale([decades]).type).toBe("log");
    expect(valueScale([decades]).ticks).toEqual(expect.arrayContaining([0.01, 1]));
    expect(valueScale([[0.001, 0.9, 1, 0.95, 0.97]]).type).toBe("linear");
    expect(valueScale([[0, ...decades]]).type).toBe("linear");
  });

  test("any values have a finite scale with ticks inside, which holds all but first ones", () => {
    const value = fc.double({ min: -1e30, max: 1e30, noNaN: true });
    fc.assert(
      fc.property(fc.array(fc.array(value, { maxLength: 20 }), { maxLength: 4 }), (lines) => {
        const { domain, ticks } = valueScale(lines);
        expect(domain[0]).toBeLessThan(domain[1]);
        expect(ticks.length).toBeGreaterThan(0);
        for (const tick of ticks) expect(tick >= domain[0] && tick <= domain[1]).toBe(true);
        for (const later of lines.flatMap((line) => line.slice(1)))
          expect(later >= domain[0] && later <= domain[1]).toBe(true);
      }),
    );
  });

  test("the least number there is makes an axis too", () => {
    expect(valueScale([[-5e-324]])).toEqual({ type: "linear", domain: [-5e-324, 0], ticks: [0] });
    expect(valueScale([[5e-324, 1e-300]])).toMatchObject({ domain: [0, 1e-300] });
  });

  test("a cropped line ends on the edge where it leaves", () => {
    const scale = { type: "linear", domain: [0, 10], ticks: [0, 10] } as const;
    const line = [5, 15, 5].map((value, step) => ({ step, value }));
    expect(crop(line, scale)).toEqual([
      { step: 0, value: 5 },
      { step: 0.5, value: 10 },
      { step: 1, value: Number.NaN },
      { step: 1.5, value: 10 },
      { step: 2, value: 5 },
    ]);
  });
});

describe("a chart", () => {
  const points = [9, 2.1, 2, 1.9, 1.8, 1.7].map((value, i) => ({ step: 10 * i, value }));
  const later = [3, 2.5].map((value, i) => ({ step: 20 * (i + 1), value }));
  const { document } = parseHTML(
    chart({
      title: "Loss",
      value: "loss (nats)",
      lines: [
        { label: "train", points, tone: "accent" },
        { label: "dev", points: later, tone: "soft" },
      ],
    }).text,
  );
  const plot = document.querySelector(".plot")!;

  test("a chart names both axes, and says in words what lies beyond them", () => {
    const texts = [...plot.querySelectorAll("text")].map(({ textContent }) => textContent);
    expect(texts).toEqual(expect.arrayContaining(["loss (nats)", "step", "↑ 9.000"]));
  });

  test("a chart tells the values of every place, on the lines that have one there", () => {
    const [top, bottom] = plot.getAttribute("data-frame")!.split(" ").map(Number);
    const stops = plot.getAttribute("data-stops")!.split("\n").map((line) => line.split("\t")); // biome-ignore format: one line
    expect(stops.map(([, name, ...rest]) => [name, rest.filter((_, i) => i % 3 === 2)])).toEqual([
      ["step 0", ["9.000"]],
      ["step 10", ["2.100"]],
      ["step 20", ["2.000", "3.000"]],
      ["step 30", ["1.900"]],
      ["step 40", ["1.800", "2.500"]],
      ["step 50", ["1.700"]],
    ]);
    // a value that is told lies where its dot is drawn
    const dots = [...plot.querySelectorAll("circle")].map((dot) =>
      ["cx", "cy"].map((at) => Number(dot.getAttribute(at))),
    );
    for (const [x, , ...rest] of stops.slice(1))
      for (let i = 0; i < rest.length; i += 3)
        expect(dots.some(([cx, cy]) => Math.abs(cx - +x) < 0.1 && Math.abs(cy - +rest[i + 1]) < 0.1)).toBe(true);
    expect(Number(stops[0][3])).toBe(top);
    expect(bottom).toBeGreaterThan(top);
  });

  test("lines differ in dashes, not in colour alone", () => {
    const dashes = [...document.querySelectorAll(".key line")].map((line) => line.getAttribute("stroke-dasharray"));
    expect(new Set(dashes).size).toBe(2);
  });
});
