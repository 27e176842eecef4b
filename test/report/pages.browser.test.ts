// Report pages in a real browser: recordings can be played under the page's own policy, nothing sticks out of a phone, axe finds no
// violation, values are told under the pointer and by the keyboard, paper is white.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { writeBenchmarkReport } from "../../src/report/benchmark/page.ts";
import { writeComparisonReport } from "../../src/report/comparison/page.ts";
import { writeRunReport } from "../../src/report/distillation/page.ts";
import { writeEvaluationReport } from "../../src/report/evaluation/page.ts";
import { writeMapsPage } from "../../src/report/maps/page.ts";
import { scoreEvaluations } from "../../src/report/results/score.ts";
import { writeStreamingPage } from "../../src/report/streaming/page.ts";
import { writeTrainingComparison } from "../../src/report/trainings/page.ts";
import type { Training } from "../../src/report/trainings/training.types.ts";
import { violationsOf } from "../web/axe.ts";
import { inChromium, launchChromium } from "../web/chromium.ts";
import { attentionOf, metricsOf, runOf } from "./distillation/run.ts";
import { madeRun } from "./runs.ts";

inChromium("report pages", () => {
  let folder: string;
  let browser: Browser;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "report-pages-"));
    browser = await launchChromium();
  });
  afterAll(async () => {
    await browser?.close();
    await rm(folder, { recursive: true, force: true });
  });

  const pages: [string, () => string, number][] = [
    ["phonemes", () => writeEvaluationReport(madeRun("pr")), 10],
    ["intents", () => writeEvaluationReport(madeRun("ic")), 10],
    [
      "comparison",
      () =>
        writeComparisonReport([
          madeRun("pr", { upstream: "a-model-with-a-rather-long-name/best" }),
          madeRun("pr", { upstream: "b", seed: 2 }),
        ]),
      5,
    ],
  ];

  test.each(pages)("the page of %s plays its recordings and fits a phone", async (name, write, players) => {
    const file = join(folder, `${name}.html`);
    await writeFile(file, write());
    for (const colorScheme of ["light", "dark"] as const) {
      const page = await browser.newPage({ viewport: { width: 400, height: 800 }, colorScheme });
      const complaints: string[] = [];
      page.on("console", (message) => complaints.push(message.text()));
      page.on("requestfailed", (request) => complaints.push(request.url().slice(0, 100)));
      await page.goto(`file://${file}`);
      await page.waitForFunction(() =>
        [...document.querySelectorAll("audio")].every(({ readyState }) => readyState > 0),
      );
      const seen = await page.evaluate(() => ({
        width: document.documentElement.scrollWidth,
        seconds: [...document.querySelectorAll("audio")].map(({ duration }) => duration),
      }));
      expect(seen.width).toBe(400);
      expect(seen.seconds).toHaveLength(players);
      for (const seconds of seen.seconds) expect(seconds).toBeGreaterThan(1);
      expect(complaints).toEqual([]);
      await page.close();
    }
  });

  const training = (name: string, steps: number): Training => ({
    folder: name,
    kind: "distillation",
    recipe: { run: { steps } },
    parameters: 1e6,
    macs: 2e9,
    teacher: null,
    starts: [{ at: "2026-03-02T09:14:05.120Z", step: 0, stillwave: "0.1.0", onnxruntime: "1.30.0", machine: "linux" }],
    parts: [
      {
        title: "Training",
        totalSteps: steps,
        audioSeconds: 3600,
        fingerprints: { training: "a", validation: "b" },
        metrics: metricsOf(steps),
      },
    ],
  });
  const square = (scale: number) => [0, 1, 2].map((a) => [0, 1, 2].map((b) => scale * Math.abs(a - b)));
  const pattern = { attentionFrom: [0, 0, 2], loss: 0.2 };
  const choice = { computing: 2, blocks: pattern, any: pattern };
  const kinds: [string, () => string][] = [
    ["distillation", () => writeRunReport(runOf(60))],
    ["phonemes", () => writeEvaluationReport(madeRun("pr"))],
    ["classes", () => writeEvaluationReport(madeRun("er"))],
    ["trainings", () => writeTrainingComparison(["a", "b"].map((name, i) => training(name, 6 + 2 * i)))],
    ["evaluations", () => writeComparisonReport([madeRun("pr"), madeRun("pr", { upstream: "b", seed: 2 })])],
    [
      "benchmark",
      () => {
        const evaluation = madeRun("pr");
        return writeBenchmarkReport({
          upstream: "hubert",
          folder: "runs",
          runs: [{ corpus: { layout: "LibriSpeech", isBenchmark: true } as never, evaluation }],
          scores: scoreEvaluations([evaluation]).upstreams[0],
          failures: new Map([["er", "no speech"]]),
          missing: [{ task: "asr", lookedFor: "a folder" }],
          isQuick: true,
        });
      },
    ],
    [
      "streaming",
      () =>
        writeStreamingPage({
          ...{ recognizer: "phones.onnx", speech: "dev-clean", machine: "AMD EPYC, 2 cores, 1 thread" },
          measurement: {
            ...{ metric: "PER", utterances: 12, seconds: 37 },
            whole: { rate: 58.6, realTimeFactor: 0.021 },
            settings: [0.32, 0.64, 1.28].map((chunk) => ({
              facts: {
                ...{ chunk, left: 2.56, right: 0.32, sampleRate: 16_000 },
                ...{ latencySeconds: chunk + 0.345, timesComputed: 2.88 / chunk + 1 },
              },
              ...{ rate: 60 - chunk, realTimeFactor: 0.1 / chunk },
              loss: { estimate: 1.4 - chunk, low: 0.9 - chunk, high: 1.9 - chunk },
              chunkSeconds: { median: 0.03, high: 0.05, longest: 0.11 },
              firstSeconds: { median: chunk + 0.4, high: chunk + 0.6, longest: chunk + 1 },
              delaySeconds: { median: chunk + 0.2, high: chunk + 0.5, longest: chunk + 0.9 },
            })),
          },
        }),
    ],
    [
      "maps",
      () =>
        writeMapsPage({
          model: "hubert",
          data: "speech",
          result: {
            ...{ layers: 3, heads: 2, utterances: 4, seconds: 9, queries: 64 },
            jensenShannon: square(0.1),
            totalVariation: square(0.2),
            cka: square(0.3),
            reuse: [choice],
            every: [pattern],
            groups: [[0, 1], [2]],
          },
          chosen: choice,
        }),
    ],
  ];
  test.each(kinds)(
    "axe finds no violation in the page of %s, light and wide, dark and narrow, folds open",
    { timeout: 180_000 },
    async (name, write) => {
      const file = join(folder, `axe-${name}.html`);
      await writeFile(file, write());
      for (const [colorScheme, width] of [
        ["light", 1280],
        ["dark", 390],
      ] as const) {
        const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme });
        await page.goto(`file://${file}`);
        await page.evaluate(() => {
          for (const one of document.querySelectorAll("details")) one.open = true;
        });
        expect(await violationsOf(page)).toEqual([]);
        expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(width);
        const pictures = process.env.STILLWAVE_SCREENSHOTS;
        if (pictures)
          await page.screenshot({ path: join(pictures, `${name}-${colorScheme}-${width}.png`), fullPage: true });
        await page.close();
      }
    },
  );

  test("values are told under the pointer and by the arrow keys, and paper is white", async () => {
    const layers = [0, 1];
    const attention = {
      ...{ utterance: "x", seconds: 1 },
      teacher: layers.map((layer) => attentionOf(layer, 50, 6)),
      student: layers.map((layer) => attentionOf(layer, 50, 4, layer === 1 ? 0 : undefined)),
    };
    const run = runOf(60, { attention });
    const file = join(folder, "hover.html");
    await writeFile(file, writeRunReport(run));
    const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, colorScheme: "dark" });
    await page.goto(`file://${file}`);
    const plot = page.locator('.plot[data-name="Validation loss"]');
    const tip = plot.locator(".tip");
    await plot.focus();
    await page.keyboard.press("ArrowRight");
    expect(await tip.innerText()).toBe("step 0\nvalidation loss: 2.310");
    await page.keyboard.press("ArrowRight");
    expect(await tip.innerText()).toMatch(/^step 6\n/);
    await page.keyboard.press("Escape");
    expect(await tip.isVisible()).toBe(false);
    await plot.hover({ position: { x: 470, y: 100 } });
    expect(await tip.innerText()).toMatch(/^step 60\n/);
    // the attention that is told is that of the map, to the 256 colours of its picture
    const maps = page.locator('.plot[data-name="Attention of layer 1"]');
    await maps.focus();
    await page.keyboard.press("ArrowRight");
    const { teacher, student } = attention;
    const told = (await maps.locator(".tip").innerText()).split("\n");
    expect(told[0]).toBe("at 0.01 s, to 0.01 s");
    const top = Number(await maps.locator("img").first().getAttribute("data-top"));
    for (const [i, { heads, frames, map }] of [teacher[1], student[1]].entries()) {
      const corner = Array.from({ length: heads }, (_, head) => map[head * frames * frames]);
      const weight = corner.reduce((sum, value) => sum + value, 0) / heads;
      const shown = Number(/: (?:at least )?([\d.e-]+),/.exec(told[i + 1])![1]);
      expect(Math.abs(Math.sqrt(shown / top) - Math.sqrt(Math.min(1, weight / top)))).toBeLessThan(0.01);
    }
    await page.emulateMedia({ media: "print" });
    expect(await page.evaluate(() => getComputedStyle(document.documentElement).getPropertyValue("--page"))).toBe(
      "#ffffff",
    );
    await page.close();
  });
});
