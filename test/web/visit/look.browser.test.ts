// How the page looks and handles: axe, contrast in every state, a phone's width, the keyboard alone; in light and dark.
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { violationsOf } from "../axe.ts";
import { inChromium, launchChromium } from "../chromium.ts";
import { type BuiltPage, buildPage, Visit } from "./built-page.ts";

const TABS = ["words", "phones", "student", "attention", "yours"];
const SCHEMES = ["light", "dark"] as const;

/** WCAG's contrast of an element's text and the ground that it stands on. */
const contrastOf = (page: Page, selector: string) =>
  page.$eval(selector, (element) => {
    const parse = (colour: string) => {
      const canvas = document.createElement("canvas");
      const context = canvas.getContext("2d", { willReadFrequently: true })!;
      context.fillStyle = colour;
      context.fillRect(0, 0, 1, 1);
      return [...context.getImageData(0, 0, 1, 1).data];
    };
    const luminance = (colour: number[]) => {
      const [r, g, b] = colour.slice(0, 3).map((value) => {
        const share = value / 255;
        return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    let ground: Element | null = element;
    while (ground && parse(getComputedStyle(ground).backgroundColor)[3] < 255) ground = ground.parentElement;
    const text = luminance(parse(getComputedStyle(element).color));
    const behind = luminance(parse(getComputedStyle(ground ?? document.documentElement).backgroundColor));
    return (Math.max(text, behind) + 0.05) / (Math.min(text, behind) + 0.05);
  });

inChromium("how the page looks", () => {
  let built: BuiltPage;
  let server: Awaited<ReturnType<BuiltPage["serve"]>>;
  let browser: Browser;
  beforeAll(async () => {
    built = await buildPage();
    server = await built.serve(true);
    browser = await launchChromium({ microphone: true });
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
    await built?.remove();
  });

  test.each(SCHEMES)(
    "axe finds nothing on any tab, before and after there is sound, and while one speaks: %s",
    async (colorScheme) => {
      const visit = await Visit.to(browser, server.url, { colorScheme });
      expect(await violationsOf(visit.page)).toEqual([]);
      await visit.example();
      for (const tab of TABS) {
        await visit.tab(tab);
        expect([tab, ...(await violationsOf(visit.page))]).toEqual([tab]);
      }
      await visit.tab("words");
      await visit.page.click("#speak");
      await visit.page.waitForFunction(() => document.getElementById("speak")!.getAttribute("aria-pressed") === "true");
      expect(await violationsOf(visit.page)).toEqual([]);
      await visit.close();
    },
  );

  test.each(SCHEMES)("text has a contrast of 4.5 or more in every state of its control: %s", async (colorScheme) => {
    const visit = await Visit.to(browser, server.url, { colorScheme });
    const { page } = visit;
    const readable = async (selector: string, state: string) => {
      const contrast = await contrastOf(page, selector);
      expect(contrast, `${selector}, ${state}`).toBeGreaterThanOrEqual(4.5);
    };
    for (const selector of ["#speak", "#example", ".transport label span", "#play", "#tab-words", "#tab-yours"]) {
      await readable(selector, "at rest");
      await page.hover(selector, { force: true });
      await readable(selector, "under the pointer");
    }
    for (const selector of [
      ".switch label:first-of-type span",
      ".switch label:last-of-type span",
      "#device",
      "#sentence",
    ])
      await readable(selector, "at rest");
    await page.focus("#speak");
    await readable("#speak", "in focus");
    await page.click("#speak");
    await page.waitForFunction(() => document.getElementById("speak")!.textContent!.trim() === "Stop");
    for (const state of ["recording", "recording, under the pointer", "recording, held down"]) {
      if (state.endsWith("pointer")) await page.hover("#speak");
      if (state.endsWith("down")) await page.mouse.down();
      await readable("#speak", state);
    }
    for (const selector of ["#example", "#play", ".transport label span"]) await readable(selector, "disabled");
    await page.mouse.up();
    await page.evaluate(() => document.getElementById("sentence")!.classList.add("failed"));
    await readable("#sentence", "of an error");
    await visit.close();
  });

  test("on a phone of 390 pixels nothing sticks out, and every control is large enough for a finger", async () => {
    const visit = await Visit.to(browser, server.url, { viewport: { width: 390, height: 844 }, hasTouch: true });
    await visit.example();
    for (const tab of TABS) {
      await visit.tab(tab);
      const { width, small } = await visit.page.evaluate(() => ({
        width: document.scrollingElement!.scrollWidth,
        small: [...document.querySelectorAll("button, .pill, .switch label, select, input[type=range]")]
          .map((control) => ({ name: control.id || control.textContent, box: control.getBoundingClientRect() }))
          .filter(({ box }) => box.width > 0 && (box.width < 24 || box.height < 24 || box.right > 390 || box.left < 0))
          .map(({ name }) => name),
      }));
      expect({ tab, width, small }).toEqual({ tab, width: 390, small: [] });
    }
    await visit.close();
  });

  test("the keyboard alone: tabs by arrows, an example, speaking and stopping, the playhead, a layer", async () => {
    const visit = await Visit.to(browser, server.url);
    const { page } = visit;
    const focused = () => page.evaluate(() => document.activeElement!.id);
    const until = async (id: string) => {
      for (let presses = 0; presses < 20; presses++) {
        await page.keyboard.press("Tab");
        if ((await focused()) === id) return;
      }
      throw new Error(`the keyboard does not reach ${id}`);
    };
    await page.keyboard.press("Tab");
    expect(await focused()).toBe("tab-words");
    await page.keyboard.press("End");
    expect(await focused()).toBe("tab-yours");
    await page.keyboard.press("ArrowLeft");
    await visit.settled();
    expect(await page.getAttribute("#panel", "aria-labelledby")).toBe("tab-attention");
    await until("example");
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => document.getElementById("sentence")!.textContent!.includes("at the line"));
    await page.keyboard.press("Shift+Tab");
    await page.keyboard.press("Shift+Tab");
    expect(await focused()).toBe("speak");
    await page.keyboard.press("Shift+Tab");
    expect(await focused()).toBe("position");
    await page.keyboard.press("PageUp");
    expect(Number(await page.inputValue("#position"))).toBeGreaterThan(0.1);
    await page.focus("#maps input:checked");
    await page.keyboard.press("ArrowRight");
    expect(await page.getAttribute("#maps input:checked", "aria-label")).toBe(
      "student: Layer 2 reuses that of layer 1",
    );
    await page.focus("#tab-attention");
    await page.keyboard.press("Home");
    await visit.settled();
    await until("speak");
    await page.keyboard.press("Space");
    await page.waitForFunction(() => document.getElementById("speak")!.textContent!.trim() === "Stop");
    await page.keyboard.press("Space");
    await page.waitForFunction(() => document.getElementById("speak")!.textContent!.trim() === "Speak");
    await visit.close();
  });
});
