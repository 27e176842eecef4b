// The report page: complete, self-contained, escaped, bounded, and right for short and broken runs.
import { inflateSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { writeRunReport } from "../../../src/report/distillation/page.ts";
import type { RunReportData } from "../../../src/report/distillation/report.types.ts";
import { trainRow, validationRow } from "../../log/rows.ts";
import { outside, parse, textOf } from "../page.ts";
import { attentionOf, metricsOf, runOf } from "./run.ts";

describe("a whole run", () => {
  const page = writeRunReport(runOf(300));
  const text = textOf(page);

  test("the page says what was made, how small it is and how well it went", () => {
    expect(text).toContain("Quickstart: ARMHuBERT-S from HuBERT");
    expect(text).toContain("22.4 M parameters, 23.7 % of the teacher's");
    expect(text).toContain("20.01 G for 10 s of audio, 27.0 % of the teacher's");
    expect(text).toMatch(/Validation loss 2\.310 → 0\.5\d+ −7\d\.\d %/);
    expect(text).toContain("22,394,080");
    expect(text).toContain("layer 11 takes over the map of layer 10");
    expect(text).toContain("sha256:4f6f0c8f8a1b0e5d2c7e9a34");
    expect(text).toContain("19-198-0007.flac");
    expect(text).toContain("1.30.0");
    expect(parse(page).querySelector("pre")!.textContent).toBe(runOf(0).recipe);
  });

  test("the page loads and runs nothing, and forbids itself to", () => {
    expect(outside(page)).toEqual([]);
    expect(parse(page).querySelector("meta[http-equiv=Content-Security-Policy]")!.getAttribute("content")).toMatch(
      /^default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-[^']+'$/,
    );
  });

  test("the page is accessible: every picture is named and described, every chart has a table, identifiers are unique", () => {
    const document = parse(page);
    expect(document.documentElement.getAttribute("lang")).toBe("en");
    const charts = [...document.querySelectorAll("svg.chart")];
    // Thirteen charts, one of them in two widths, and a sparkline for each of 12 heads.
    expect(charts).toHaveLength(13 + 1 + 12);
    for (const svg of charts) {
      expect(svg.getAttribute("role")).toBe("img");
      const [title, description] = svg
        .getAttribute("aria-labelledby")!
        .split(" ")
        .map((id) => document.getElementById(id)!);
      expect(title!.localName).toBe("title");
      expect(description!.textContent).toMatch(/ at (step|head) \d+, .* at (step|head) \d+\./);
    }
    const identifiers = [...document.querySelectorAll("[id]")].map((element) => element.id);
    expect(new Set(identifiers).size).toBe(identifiers.length);
    expect(document.querySelectorAll("figure.figure table")).toHaveLength(13);
    for (const image of document.querySelectorAll("img")) expect(image.getAttribute("alt")).toMatch(/layer \d+/);
    for (const section of document.querySelectorAll("section"))
      expect(document.getElementById(section.getAttribute("aria-labelledby")!)!.localName).toBe("h2");
  });

  test("no coordinate is NaN, undefined or infinite, and the same data gives the same page", () => {
    for (const svg of parse(page).querySelectorAll("svg")) expect(svg.outerHTML).not.toMatch(/NaN|undefined|Infinity/);
    expect(writeRunReport(runOf(300))).toBe(page);
  });

  test("attention has one card a layer; a reusing layer says whose map it takes and shows no heads of its own", () => {
    const cards = [...parse(page).querySelectorAll(".card")];
    expect(cards).toHaveLength(12);
    cards.forEach((card, layer) => {
      const pictures = card.querySelectorAll("img").length;
      expect(card.textContent.includes(`takes over the map of layer ${layer - 1}`)).toBe(layer % 2 === 1);
      expect(pictures).toBe(2 + 3 + (layer % 2 ? 0 : 3));
    });
  });
});

describe("hostile and odd input", () => {
  const evil = `<script>alert(1)</script>"'&<img src=x onerror=alert(1)></style></title>\u0000\ud800`;
  test("a run that has diverged is said to have, and its best validation is never the one before the first update", () => {
    const losses = [1, 1.4, 1.6, 1.2, 9];
    const metrics = losses.map((loss, i) => validationRow(10 * i, { loss, perLayer: Array<number>(12).fill(loss) }));
    const text = textOf(writeRunReport(runOf(0, { metrics })));
    expect(text).toContain("best 1.200 at step 30");
    expect(text).toContain(
      "The run has diverged: the validation loss was 1.600 at step 20, and at 1 later validation, more than 1.5 times the 1.000 before the first update.",
    );
    expect(textOf(writeRunReport(runOf(300)))).not.toContain("diverged");
    expect(textOf(writeRunReport(runOf(0, { metrics: metrics.slice(0, 1) })))).not.toContain("best ");
  });

  test("every text is escaped", () => {
    const run = runOf(3);
    const page = writeRunReport({
      ...run,
      title: evil,
      recipe: evil,
      teacher: { ...run.teacher, name: evil },
      student: { ...run.student, name: evil },
      data: {
        corpus: evil,
        fingerprint: evil,
        utterances: 1,
        seconds: 1,
        badFiles: [{ path: evil, reason: evil }],
        validation: { corpus: evil, utterances: 1, seconds: 1 },
      },
      versions: { [evil]: evil },
      attention: { ...run.attention!, utterance: evil },
    });
    expect(outside(page)).toEqual([]);
    expect(parse(page).querySelector("h1")!.textContent).toBe(
      evil.replace("\u0000", "\ufffd").replace("\ud800", "\ufffd"),
    );
    expect(page).not.toContain("\u0000");
    expect(page.match(/<script/g)).toHaveLength(1);
    expect(page.match(/<\/style>/g)).toHaveLength(1);
  });

  const bare = (change: Partial<RunReportData>) => runOf(0, { attention: undefined, ...change });

  test("a run of no rows, one row or one validation has a page", () => {
    expect(textOf(writeRunReport(bare({ totalSteps: 10 })))).toMatch(/not complete: step 0 of 10.*No values yet/);
    const one = writeRunReport(bare({ metrics: [trainRow(1)] }));
    expect(one).not.toMatch(/="[^"]*(NaN|undefined|Infinity)/);
    expect(parse(one).querySelectorAll("svg circle").length).toBeGreaterThan(0);
    expect(textOf(writeRunReport(bare({ metrics: [validationRow(5)] })))).toContain("at step 5, the only one so far");
  });

  test("rows that are not finite, huge, constant, zero, negative, out of order or of changing length are drawn or left out", () => {
    const metrics = [
      trainRow(9, { loss: Number.NaN, gradientNorm: Number.POSITIVE_INFINITY, perLayerMasked: [] }),
      trainRow(3, { loss: 1e308, learningRate: 0, perLayerMasked: [1, Number.NaN, -1e300, 4, 5] }),
      trainRow(4, { loss: -5, stepSeconds: 0, rssBytes: 0, perLayerUnmasked: [Number.NEGATIVE_INFINITY] }),
      validationRow(2, { loss: Number.NaN, perLayer: [] }),
      validationRow(9, { loss: 0 }),
    ];
    const page = writeRunReport(bare({ metrics }));
    for (const svg of parse(page).querySelectorAll("svg"))
      expect(svg.outerHTML.replace(/<desc.*?<\/desc>/g, "")).not.toMatch(/NaN|undefined|Infinity/);
    expect(textOf(page)).toContain("was not finite at 1 step: 9");
  });

  test("a run of values that are not finite has a page", () => {
    const metrics = [1, 2, 3].map((step) =>
      trainRow(step, { loss: Number.NaN, gradientNorm: Number.NaN, audioSecondsPerSecond: Number.NaN }),
    );
    const text = textOf(writeRunReport(bare({ metrics })));
    expect(text).toContain("Training loss No values yet.");
    expect(text).toContain("was not finite at 3 steps: 1, 2, 3.");
  });

  test("an attention array that does not fit its shape is an error that names it", () => {
    const layer = { ...attentionOf(3, 10, 2), frames: 11 };
    const attention = { utterance: "x", seconds: 1, teacher: [layer], student: [] };
    expect(() => writeRunReport(bare({ attention }))).toThrow(
      /teacher layer 3: expected \[2, 11, 11\] with 242 values, got 200/,
    );
  });

  test("the page stays below 3 MB with 200,000 rows, 24 layers of attention, thousands of bad files and a huge recipe", () => {
    const indices = Array.from({ length: 24 }, (_, layer) => layer);
    const noisy = (layer: number) => {
      const map = Float32Array.from({ length: 2 * 300 * 300 }, (_, i) => ((i * 2654435761) % 4096) / 4096);
      return { layer, heads: 2, frames: 300, map };
    };
    const page = writeRunReport(
      runOf(0, {
        metrics: metricsOf(200_000, 500),
        recipe: "key: <value>\n".repeat(100_000),
        data: {
          ...runOf(0).data,
          badFiles: Array.from({ length: 5000 }, (_, i) => ({
            path: `${"<".repeat(5000)}${i}`,
            reason: "&".repeat(9000),
          })),
        },
        attention: { utterance: "x", seconds: 6, teacher: indices.map(noisy), student: indices.map(noisy) },
      }),
    );
    expect(Buffer.byteLength(page)).toBeLessThan(3e6);
    expect(textOf(page)).toContain("The first 100 of 5,000");
  });
});

describe("attention pictures", () => {
  test("the brightest pixel of each row of a picture, decoded by hand, is where the attention is", () => {
    const frames = 8;
    const map = new Float32Array(frames * frames);
    for (let query = 0; query < frames; query++) map[query * frames + ((query + 3) % frames)] = 1;
    const layer = { layer: 0, heads: 1, frames, map };
    const page = writeRunReport(
      runOf(0, { attention: { utterance: "x", seconds: 1, teacher: [layer], student: [layer] } }),
    );
    const png = Buffer.from(/base64,([^"]+)/.exec(page)![1], "base64");
    expect(png.subarray(0, 8).toString("latin1")).toBe("\x89PNG\r\n\x1a\n");
    const chunks = new Map<string, Buffer>();
    for (let at = 8; at < png.length; at += png.readUInt32BE(at) + 12)
      chunks.set(png.toString("latin1", at + 4, at + 8), png.subarray(at + 8, at + 8 + png.readUInt32BE(at)));
    expect([...chunks.keys()]).toEqual(["IHDR", "PLTE", "tRNS", "IDAT", "IEND"]);
    expect(chunks.get("IHDR")!.readUInt32BE(0)).toBe(frames);
    const pixels = inflateSync(chunks.get("IDAT")!);
    for (let query = 0; query < frames; query++) {
      const row = pixels.subarray(query * (frames + 1) + 1, (query + 1) * (frames + 1));
      expect([...row]).toEqual(Array.from({ length: frames }, (_, key) => (key === (query + 3) % frames ? 255 : 0)));
    }
  });

  test("both maps of a layer share one scale, on which the weight of a uniform map is marked", () => {
    const frames = 10;
    const uniform = { layer: 0, heads: 1, frames, map: new Float32Array(frames * frames).fill(1 / frames) };
    const sharp = { layer: 0, heads: 1, frames, map: new Float32Array(frames * frames), takesMapOf: 3 };
    for (let query = 0; query < frames; query++) sharp.map[query * frames + query] = 1;
    const attention = { utterance: "x", seconds: 2, teacher: [uniform], student: [sharp] };
    const card = parse(writeRunReport(runOf(0, { attention }))).querySelector(".card")!;
    const [teacher, student] = card.querySelectorAll("img.map");
    expect([teacher, student].map((image) => image.getAttribute("data-top"))).toEqual(["1", "1"]);
    // the uniform map's colour is the one at its mark: the square root of its weight over the scale's end
    const levels = levelsOf(teacher.getAttribute("src")!, frames);
    expect(new Set(levels)).toEqual(new Set([Math.round(255 * Math.sqrt(0.1))]));
    expect([...new Set(levelsOf(student.getAttribute("src")!, frames))].sort()).toEqual([0, 255]);
    const mark = card.querySelector(".scale .uniform")!;
    expect(mark.textContent).toBe("uniform: 1/10 = 0.1");
    expect(Number.parseFloat(mark.getAttribute("style")!.slice(5))).toBeCloseTo(100 * Math.sqrt(0.1), 1);
    for (const number of card.querySelector(".scale")!.querySelectorAll(".numbers span:not(.end)"))
      expect(Number.parseFloat(number.getAttribute("style")!.slice(5))).toBeCloseTo(
        100 * Math.sqrt(Number(number.textContent)),
        1,
      );
    expect(student.closest("figure")!.textContent).toContain("takes over the map of layer 3");
    // seconds along both sides
    expect([...card.querySelector(".pair")!.querySelectorAll(".from")].map(({ textContent }) => textContent)).toEqual(
      Array(2).fill("from (s)00.511.52"),
    );
    expect(card.querySelector(".to")!.textContent).toBe("00.511.52to (s)");
  });
});

/** Opacities of a PNG of indexed colour. */
function levelsOf(uri: string, side: number): number[] {
  const png = Buffer.from(uri.slice(uri.indexOf(",") + 1), "base64");
  const at = png.indexOf("IDAT");
  const pixels = inflateSync(png.subarray(at + 4, at + 4 + png.readUInt32BE(at - 4)));
  return Array.from({ length: side }, (_, y) => [...pixels.subarray(y * (side + 1) + 1, (y + 1) * (side + 1))]).flat();
}
