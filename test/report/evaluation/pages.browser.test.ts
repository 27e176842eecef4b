// Report pages in a real browser: recordings can be played under the page's own policy, nothing sticks out of a phone.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { writeComparisonReport } from "../../../src/report/comparison/page.ts";
import { writeEvaluationReport } from "../../../src/report/evaluation/page.ts";
import { inChromium, launchChromium } from "../../web/chromium.ts";
import { madeRun } from "../runs.ts";

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
});
