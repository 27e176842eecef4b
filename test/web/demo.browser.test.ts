// The demo, built and served as on a site: a model and speech in, numbers and pictures out, nothing from elsewhere.
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { build, createServer } from "vite";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadAudio } from "../../src/audio/index.ts";
import { loadModel } from "../../src/checkpoint/index.ts";
import { exportOnnx } from "../../src/export/index.ts";
import { frameCount } from "../../src/models/config.ts";
import { inChromium, launchChromium, serveFolders } from "./chromium.ts";

const pathOf = (name: string) => fileURLToPath(new URL(`../../${name}`, import.meta.url));
const speech = pathOf("examples/speech/dev/1320/122612/1320-122612-0014.flac");

/** Whether a canvas shows more than a few colours. */
const isPicture = (page: Page, id: string) =>
  page.evaluate((name) => {
    const canvas = document.getElementById(name) as HTMLCanvasElement;
    const { data } = canvas.getContext("2d")!.getImageData(0, 0, canvas.width, canvas.height);
    return new Set(new Uint32Array(data.buffer)).size;
  }, id);

inChromium("the demo", () => {
  let folder: string;
  let browser: Browser;
  let server: Awaited<ReturnType<typeof serveFolders>>;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "stillwave-demo-"));
    const root = pathOf("web");
    await build({
      root,
      configFile: join(root, "vite.config.ts"),
      logLevel: "error",
      publicDir: false,
      build: { outDir: folder, emptyOutDir: true },
    });
    const model = await loadModel(pathOf("examples/hubert-small-libri"));
    await exportOnnx(model, { out: join(folder, "model.onnx"), dtype: "int8", speech: [await loadAudio(speech)] });
    await cp(pathOf("examples/hubert-small-libri/config.json"), join(folder, "broken.onnx"));
    server = await serveFolders({ "/": folder }, { isolated: true });
    browser = await launchChromium({ microphone: true });
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
    await rm(folder, { recursive: true, force: true });
  });

  /** The page, once it has opened its model or said why not. */
  async function openDemo(url = server.url): Promise<{ page: Page; complaints: string[]; requests: string[] }> {
    const page = await browser.newPage();
    const complaints: string[] = [];
    const requests: string[] = [];
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) complaints.push(message.text());
    });
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("request", (request) => requests.push(request.url()));
    await page.goto(url);
    await saysNot(page, /Loading|Opening/);
    return { page, complaints, requests };
  }

  async function saysNot(page: Page, pattern: RegExp): Promise<string> {
    await page.waitForFunction(
      (source) => !new RegExp(source).test(document.getElementById("status")!.textContent!),
      pattern.source,
      { timeout: 50_000 },
    );
    return (await page.textContent("#status"))!;
  }

  test("the model that lies beside it, the sample, a file: figures and pictures, all from its own origin", async () => {
    const { page, complaints, requests } = await openDemo();
    expect(await page.textContent("#status")).toContain("model.onnx is ready");
    await page.click("#sample");
    expect(await saysNot(page, /ready|Computing/)).toBe("Done: 7 outputs of 144 frames.");
    expect(await page.textContent("#length")).toBe("2.88 s");
    expect(await page.textContent("#engine")).toMatch(/^WASM, [2-4] threads$|^WASM, 1 thread$/);
    expect(Number(await page.textContent("#factor"))).toBeGreaterThan(0);
    for (const id of ["states", "similarity"]) expect(await isPicture(page, id)).toBeGreaterThan(50);
    expect(await isPicture(page, "waveform")).toBeGreaterThan(1);

    await page.setInputFiles("#file", speech);
    const frames = frameCount((await loadModel(pathOf("examples/hubert-small-libri"))).config.conv, (await loadAudio(speech)).length); // biome-ignore format: one line
    expect(await saysNot(page, /144 frames|Computing/)).toBe(`Done: 7 outputs of ${frames} frames.`);
    await page.focus("#layer");
    await page.keyboard.press("ArrowLeft");
    expect(await page.textContent("#name")).toBe("hidden_states.5");
    expect(await page.getAttribute("#states", "aria-label")).toContain(`hidden_states.5: ${frames} frames`);

    expect(complaints).toEqual([]);
    expect(requests.filter((url) => !url.startsWith(server.url) && !/^(blob:|data:)/.test(url))).toEqual([]);
    await page.close();
  });

  test("the microphone, here one that beeps", async () => {
    const { page, complaints } = await openDemo();
    await page.click("#record");
    await page.waitForFunction(() => document.getElementById("status")!.textContent === "Recording …");
    expect(await page.getAttribute("#record", "aria-pressed")).toBe("true");
    await page.waitForTimeout(1500);
    await page.click("#record");
    expect(await saysNot(page, /Recording|Computing/)).toMatch(/^Done: 7 outputs of \d+ frames\.$/);
    expect(Number.parseFloat((await page.textContent("#length"))!)).toBeGreaterThan(0.5);
    expect(complaints).toEqual([]);
    await page.close();
  });

  test("the development server, on its first start", async () => {
    const development = await createServer({
      configFile: join(pathOf("web"), "vite.config.ts"),
      cacheDir: join(folder, "cache"),
      publicDir: folder,
      logLevel: "error",
      server: { port: 0 },
    });
    await development.listen();
    try {
      const [url] = development.resolvedUrls!.local;
      expect(development.resolvedUrls!.network).toEqual([]);
      expect(url).toMatch(/^http:\/\/127\.0\.0\.1:/);
      const { page, complaints } = await openDemo(url!);
      expect(await page.textContent("#status")).toContain("model.onnx is ready");
      expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
      expect(complaints).toEqual([]);
      await page.close();
    } finally {
      await development.close();
    }
  });

  test("every control has a name, and the keyboard reaches it", async () => {
    const { page } = await openDemo();
    const nameless = await page.evaluate(() =>
      [...document.querySelectorAll<HTMLElement>("button, input, select, audio, canvas[aria-label], [role=img]")]
        .filter((control) => {
          const labels = (control as HTMLInputElement).labels;
          const text = control.getAttribute("aria-label") ?? labels?.[0]?.textContent ?? control.textContent ?? "";
          const unseen = control.closest("[hidden]") !== null;
          return text.trim() === "" && !unseen;
        })
        .map((control) => control.id),
    );
    expect(nameless).toEqual([]);
    const reached: string[] = [];
    for (let i = 0; i < 6; i++) {
      await page.keyboard.press("Tab");
      reached.push(await page.evaluate(() => document.activeElement!.id));
    }
    expect(reached).toEqual(expect.arrayContaining(["model", "device", "record", "file", "sample"]));
    await page.close();
  });

  test("files that are no models and no audio end in the status line, and the page goes on", async () => {
    const { page } = await openDemo();
    await page.setInputFiles("#file", pathOf("package.json"));
    expect(await saysNot(page, /ready|Computing/)).toContain("this browser cannot decode the file");
    await page.click("#sample");
    expect(await saysNot(page, /cannot|Computing/)).toContain("Done: 7 outputs");
    await page.setInputFiles("#model", join(folder, "broken.onnx"));
    expect(await saysNot(page, /Done|Opening/)).toContain("the model: ONNX Runtime cannot open it");
    expect(await page.getAttribute("#status", "class")).toBe("failed");
    await page.setInputFiles("#model", join(folder, "model.onnx"));
    expect(await saysNot(page, /cannot|Opening|ready|Computing/)).toContain("Done: 7 outputs");
    await page.close();
  });
});
