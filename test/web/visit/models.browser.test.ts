// What the page shows of its models beside what Node computes: phones, teacher and student side by side, attention maps.
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadAudio } from "../../../src/audio/index.ts";
import { loadRecognizer } from "../../../src/index.ts";
import { loadUpstream } from "../../../src/upstream/node.ts";
import { phoneText } from "../../../web/model/catalog.ts";
import { inChromium, launchChromium } from "../chromium.ts";
import { type BuiltPage, buildPage, pathOf, SPEECH, Visit } from "./built-page.ts";

inChromium("the page's models", () => {
  let built: BuiltPage;
  let server: Awaited<ReturnType<BuiltPage["serve"]>>;
  let browser: Browser;
  beforeAll(async () => {
    built = await buildPage();
    server = await built.serve(true);
    browser = await launchChromium();
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
    await built?.remove();
  });

  test("phones are those of the recogniser in Node, in phonetic letters, and how many are wrong is told", async () => {
    const visit = await Visit.to(browser, server.url);
    await visit.tab("phones");
    await visit.example();
    const recognizer = await loadRecognizer(pathOf("web/models/phones/phones.onnx"), { threads: 1 });
    const { labels } = await recognizer.transcribe(SPEECH);
    await recognizer.dispose();
    const letters = (await visit.text("#heard")).replace(/\s/g, "");
    expect(letters).toBe(labels.map(phoneText).join(""));
    expect(await visit.text("#facts")).toMatch(/Phones wrong\d\d\.\d %sentences of speakers/);
    await visit.close();
  });

  test("teacher and student side by side agree as they do in Node, with size and real-time factor", async () => {
    const visit = await Visit.to(browser, server.url);
    await visit.tab("student");
    expect(await visit.example()).toContain("teacher and student agree");
    expect(await visit.text("#teacher-size")).toBe("3.25 M parameters, 6.5 MB");
    expect(await visit.text("#student-size")).toBe("1.09 M parameters, 2.2 MB");
    for (const role of ["teacher", "student"])
      expect(await visit.text(`#${role}-speed`)).toMatch(
        /^\d+ ms, real-time factor \d+\.\d{3}: \d+(\.\d)? times faster/,
      );
    expect(await visit.text("#facts dd")).toMatch(new RegExp(`^${(await agreementInNode()).toFixed(2)}`));
    expect(visit.complaints).toEqual([]);
    await visit.close();
  });

  test("attention maps: six a model, a reusing layer shows the map of its source, lines follow the playhead", async () => {
    const visit = await Visit.to(browser, server.url);
    const { page } = visit;
    await visit.tab("attention");
    await visit.example();
    const pictures = await page.$$eval("#maps canvas", (canvases) =>
      canvases.map((canvas) => (canvas as HTMLCanvasElement).toDataURL()),
    );
    expect(pictures.length).toBe(12);
    expect(new Set(pictures).size).toBe(6 + 3);
    for (const layer of [6, 8, 10]) expect(pictures[layer + 1]).toBe(pictures[layer]);
    expect(await page.locator("#maps span").allTextContents()).toEqual([
      ...[1, 2, 3, 4, 5, 6].map((layer) => `Layer ${layer} computes`),
      ...[1, 3, 5].flatMap((layer) => [`Layer ${layer} computes`, `Layer ${layer + 1} reuses that of layer ${layer}`]),
    ]);
    await page.locator("#position").fill("1.44");
    const [left, top] = await page.$$eval("#maps label:first-of-type .playhead", (lines) =>
      [(lines[0] as HTMLElement).style.left, (lines[1] as HTMLElement).style.top].map(Number.parseFloat),
    );
    expect(left).toBeCloseTo(50, 0);
    expect(top).toBeCloseTo(50, 0);
    const stage = () => page.$eval("#waveform", (canvas) => (canvas as HTMLCanvasElement).toDataURL());
    const before = await stage();
    await page.check("#maps label:nth-of-type(6) input", { force: true });
    expect(await stage()).not.toBe(before);
    expect(visit.complaints).toEqual([]);
    await visit.close();
  });
});

/** Mean cosine of the teacher's last layer and the student's prediction of it, both about their means. */
async function agreementInNode(): Promise<number> {
  const wave = await loadAudio(SPEECH);
  const [teacher, student] = await Promise.all(
    ["hubert-small-libri", "student-small-libri"].map((name) => loadUpstream(pathOf(`examples/${name}`))),
  );
  const [a, b] = [(await teacher.extract(wave)).layers.at(-1)!, (await student.extract(wave)).heads.at(-1)!];
  const [, frames, dim] = a.shape;
  const centred = ({ data }: typeof a) => {
    const mean = Array.from({ length: dim }, (_, d) => {
      let sum = 0;
      for (let t = 0; t < frames; t++) sum += Number(data[t * dim + d]);
      return sum / frames;
    });
    return (t: number, d: number) => Number(data[t * dim + d]) - mean[d];
  };
  const [x, y] = [centred(a), centred(b)];
  let total = 0;
  for (let t = 0; t < frames; t++) {
    let [xy, xx, yy] = [0, 0, 0];
    for (let d = 0; d < dim; d++) {
      xy += x(t, d) * y(t, d);
      xx += x(t, d) ** 2;
      yy += y(t, d) ** 2;
    }
    total += xy / Math.sqrt(xx * yy) / frames;
  }
  return total;
}
