// The dashboard in Chromium: a run that grows while it is watched, one that is deleted, sorting, filters, overlaid curves, keyboard.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { violationsOf } from "../web/axe.ts";
import { inChromium, launchChromium } from "../web/chromium.ts";
import { addRows, makeRun, scalarRow } from "./made-runs.ts";

const command = fileURLToPath(new URL("../../bin/stillwave.js", import.meta.url));

inChromium("the dashboard", () => {
  let root: string;
  let ui: ChildProcess;
  let page: Page;
  let close: () => Promise<void>;
  const asked: string[] = [];

  beforeAll(async () => {
    root = mkdtempSync(join(tmpdir(), "stillwave-ui-"));
    await makeRun(join(root, "growing"), { steps: 40, factor: 0.7, isRunning: true });
    await makeRun(join(root, "old"), {
      steps: 100,
      files: { "summary.json": '{"step": 100}', "report.html": "<h1>report of old</h1>" },
    });
    await makeRun(join(root, "stopped"), { steps: 60, factor: 1.4 });
    const curve = Array.from({ length: 20 }, (_, i) =>
      scalarRow(10 * i + 10, { "train/loss": 3 / (i + 1), "dev/score": 90 - i }),
    );
    await makeRun(join(root, "probe", "pr"), {
      record: { kind: "stillwave superb evaluation", totalSteps: 200 },
      files: { "metrics/lr-1e-3.jsonl": curve.join(""), "metrics/lr-1e-2.jsonl": curve.slice(5).join("") },
    });
    ui = spawn(process.execPath, [command, "ui", root, "--port", "0"], { stdio: ["ignore", "pipe", "inherit"] });
    const [text] = await once(ui.stdout!, "data");
    const browser = await launchChromium();
    close = () => browser.close();
    page = await browser.newPage({ viewport: { width: 1200, height: 1000 } });
    page.on("request", (request) => asked.push(new URL(request.url()).origin));
    await page.goto(String(text).trim());
    await page.waitForSelector("#chart svg path");
  }, 180_000);
  afterAll(async () => {
    await close?.();
    ui?.kill();
    rmSync(root, { recursive: true, force: true });
  });

  const row = (name: string) => page.locator(`tbody tr:has(th:text-is("${name}"))`);
  const names = () => page.locator("tbody th").allTextContents();
  const shot = async (name: string) => {
    const folder = process.env.STILLWAVE_SCREENSHOTS;
    if (folder) await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
  };

  test("states, steps, rate and what is left stand in the list; nothing comes from elsewhere", async () => {
    expect(await names()).toHaveLength(4);
    const growing = await row("growing").innerText();
    for (const part of ["running", "40 / 100", "1.250", "0:48"]) expect(growing).toContain(part);
    expect(await row("stopped").innerText()).toContain("interrupted");
    expect(new Set(asked).size).toBe(1);
  });

  test("a run that grows is seen growing, without a reload", async () => {
    addRows(join(root, "growing"), 41, 50, 0.7);
    await expect.poll(() => row("growing").innerText(), { timeout: 20_000 }).toContain("50 / 100");
    await expect.poll(() => page.locator("#legend").innerText(), { timeout: 20_000 }).toContain("at 50");
  });

  test("a click sorts, another the other way round; words and states filter", async () => {
    await page.getByRole("button", { name: "run", exact: true }).click();
    expect(await names()).toEqual(["growing", "old", "probe/pr", "stopped"]);
    expect(await page.locator("th[data-key=id]").getAttribute("aria-sort")).toBe("ascending");
    await page.getByRole("button", { name: "run", exact: true }).press("Enter");
    expect(await names()).toEqual(["stopped", "probe/pr", "old", "growing"]);
    await page.getByLabel("Name or kind").fill("SUPERB pr");
    expect(await names()).toEqual(["probe/pr"]);
    await page.getByLabel("Name or kind").fill("");
    await page.getByLabel("State").selectOption("done");
    expect(await names()).toEqual(["old"]);
    await page.getByLabel("State").selectOption("");
  });

  test("curves of chosen runs lie over each other: metric, logarithmic axis, smoothing, a cursor", async () => {
    for (const name of ["growing", "old", "stopped", "probe/pr"])
      await row(name).getByRole("checkbox").setChecked(true);
    await page.getByLabel("Metric").selectOption("loss/total");
    await expect.poll(() => page.locator("#chart path").count()).toBe(3);
    await page.getByLabel("logarithmic").check();
    await page.getByLabel("Smoothing").fill("3");
    await expect.poll(() => page.locator("#chart path.raw").count()).toBe(3);
    const box = (await page.locator("#chart svg").boundingBox())!;
    await page.mouse.move(box.x + box.width / 2, box.y + 100);
    await expect.poll(() => page.locator("#legend li").last().innerText()).toMatch(/at [45]\d/);
    await shot("dashboard");
    expect(await violationsOf(page)).toEqual([]);
    await page.getByLabel("Metric").selectOption("dev/score");
    await expect.poll(() => page.locator("#legend").innerText()).toMatch(/probe\/pr lr-1e-2[\s\S]*probe\/pr lr-1e-3/);
  });

  test("dark and narrow it stays in its width", async () => {
    await page.emulateMedia({ colorScheme: "dark" });
    await page.setViewportSize({ width: 390, height: 844 });
    await page.getByLabel("Metric").selectOption("loss/total");
    await shot("dashboard-390-dark");
    expect(await violationsOf(page)).toEqual([]);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
    await page.setViewportSize({ width: 1200, height: 1000 });
  });

  test("a report opens; a folder that is deleted leaves the list and the chart", async () => {
    await row("old").getByRole("link").click();
    expect(await page.locator("h1").innerText()).toBe("report of old");
    await page.goBack();
    await page.waitForSelector("tbody tr");
    rmSync(join(root, "stopped"), { recursive: true });
    await expect.poll(names, { timeout: 20_000 }).not.toContain("stopped");
  });

  test("Ctrl-C ends it, also with a page open", async () => {
    const ended = once(ui, "exit");
    ui.kill("SIGINT");
    expect(await ended).toEqual([0, null]);
    await expect.poll(() => page.getByRole("status").innerText()).toContain("Not connected");
  });
});
