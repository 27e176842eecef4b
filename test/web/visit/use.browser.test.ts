// The page as a visitor uses it: speaks, opens and drops files, plays, brings a model, changes the device, goes offline.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { createServer } from "vite";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadAudio } from "../../../src/audio/index.ts";
import { exportOnnx } from "../../../src/export/index.ts";
import { loadUpstream } from "../../../src/upstream/node.ts";
import { wavOf } from "../../../web/audio/decode.ts";
import { inChromium, launchChromium } from "../chromium.ts";
import { type BuiltPage, buildPage, pathOf, SPEECH, Visit, wavFile } from "./built-page.ts";

/** What is said in web/models/digits/example.flac. */
const DIGITS = ["four", "two", "seven", "one", "nine"];
const WAKE_WORDS = ["jarvis", "computer", "view glass"];

inChromium("the page", () => {
  let scratch: string;
  let built: BuiltPage;
  let server: Awaited<ReturnType<BuiltPage["serve"]>>;
  let browser: Browser;
  beforeAll(async () => {
    scratch = await mkdtemp(join(tmpdir(), "stillwave-page-"));
    const spoken = await loadAudio(pathOf("web/models/digits/example.flac"));
    const quiet = new Float32Array(spoken.length + 40_000);
    quiet.set(spoken, 32_000);
    await writeFile(join(scratch, "spoken.wav"), Buffer.from(await wavOf(quiet).arrayBuffer()));
    built = await buildPage();
    server = await built.serve(true);
    browser = await launchChromium({ microphone: join(scratch, "spoken.wav") });
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
    await built?.remove();
    await rm(scratch, { recursive: true, force: true });
  });

  test("digits that are spoken appear while one speaks, and stay when one stops; nothing is asked of anyone else", async () => {
    const visit = await Visit.to(browser, server.url);
    const { page } = visit;
    expect(await visit.text("#sentence")).toMatch(/^Press Speak/);
    await page.click("#speak");
    await page.waitForFunction(() => document.getElementById("speak")!.getAttribute("aria-pressed") === "true");
    expect(await visit.text("#speak")).toBe("Stop");
    const loudest = page.evaluate(async () => {
      const level = document.querySelector<HTMLMeterElement>("#level")!;
      let most = 0;
      for (
        const end = performance.now() + 7000;
        performance.now() < end;
        await new Promise((next) => setTimeout(next, 20))
      )
        most = Math.max(most, level.value);
      return most;
    });
    await expect.poll(() => visit.text("#heard"), { timeout: 40_000 }).toBe(DIGITS.join(" "));
    expect(await loudest).toBeGreaterThan(25);
    await page.waitForTimeout(700);
    await page.click("#speak");
    await page.waitForFunction(() => document.getElementById("speak")!.textContent!.trim() === "Speak");
    expect(await visit.settled()).toMatch(
      /^Five words in \d\.\d s of sound; each stands below the moment when it was said\.$/,
    );
    expect(await visit.text("#heard")).toBe(DIGITS.join(" "));
    expect(await visit.text("#facts")).toMatch(/Right\d\d\.\d %recordings of .*Size\d\.\d MB.*Real-time factor0\.\d/);
    expect(await page.locator("#vocabulary .lit").allTextContents()).toEqual(["one", "two", "four", "seven", "nine"]);
    expect(visit.complaints).toEqual([]);
    expect(visit.requests.filter((url) => !url.startsWith(server.url) && !/^(blob:|data:)/.test(url))).toEqual([]);
    await visit.close();
  });

  test("phones appear while one speaks, and none that has appeared is taken back", async () => {
    const visit = await Visit.to(browser, server.url);
    const { page } = visit;
    await visit.tab("phones");
    await page.click("#speak");
    await page.waitForFunction(() => document.getElementById("speak")!.getAttribute("aria-pressed") === "true");
    const settled = () => page.$eval("#heard", (line) => line.firstChild?.textContent ?? "");
    const texts: string[] = [];
    const phonesIn = (text: string) => text.split("\u2009").length;
    // looks are close and go on until enough differ, so that a busy machine only takes longer
    const different = (phones: number) => new Set(texts.filter((text) => phonesIn(text) > phones)).size;
    for (let look = 0; look < 150 && !(different(0) > 3 && different(4) > 1); look++) {
      await page.waitForTimeout(100);
      texts.push(await settled());
    }
    expect(new Set(texts).size).toBeGreaterThan(3);
    await page.waitForTimeout(1500);
    await page.click("#speak");
    await page.waitForFunction(() => document.getElementById("speak")!.textContent!.trim() === "Speak");
    expect(await visit.settled()).toMatch(
      / phones in \d\.\d s of sound; each stands below the moment when it was said\.$/,
    );
    const whole = await settled();
    const early = texts.filter((text) => text.length < whole.length).at(-1) ?? "";
    expect(phonesIn(early)).toBeGreaterThan(4);
    for (const text of texts) expect(whole.startsWith(text)).toBe(true);
    expect(visit.complaints).toEqual([]);
    await visit.close();
  });

  test("examples of digits and wake words; the sound is played, and stays when the tab changes", async () => {
    const visit = await Visit.to(browser, server.url);
    const { page } = visit;
    expect(await visit.example()).toMatch(/^Five words/);
    expect(await visit.text("#heard")).toBe(DIGITS.join(" "));
    await page.click("#play");
    await page.waitForFunction(() => Number(document.querySelector<HTMLInputElement>("#position")!.value) > 0.3);
    expect(await visit.text("#play")).toBe("Pause");
    await page.click("#play");
    await page.check("[value=wake-words]");
    await visit.settled();
    expect(await visit.example()).toMatch(/^Three words/);
    expect(await visit.text("#heard")).toBe(WAKE_WORDS.join(" "));
    expect(await visit.text("#facts")).toMatch(
      /Right9\d\.\d %recordings that it has never heard; the corpus names no speakers/,
    );
    expect(await visit.tab("phones")).toMatch(/phones in 10\.0 s of sound/);
    expect(visit.complaints).toEqual([]);
    await visit.close();
  });

  test("dropped sound and models are taken, and what is neither is one sentence, after which all goes on", async () => {
    const visit = await Visit.to(browser, server.url);
    await visit.tab("phones");
    const student = join(scratch, "student.onnx");
    const speech = [(await loadAudio(SPEECH)).slice(0, 16_000)];
    await exportOnnx(await loadUpstream(pathOf("examples/student-small-libri")), {
      out: student,
      dtype: "int8",
      speech,
    });
    expect(await visit.drop("speech.flac", await readFile(SPEECH))).toMatch(/phones in 2\.9 s of sound/);
    const nan = new Float32Array(16_000).fill(Number.NaN);
    const hostile: [string, Uint8Array, RegExp][] = [
      ["letter.wav", Buffer.from("Dear Sir or Madam"), /^letter\.wav is no audio that this browser can decode/],
      ["empty.flac", new Uint8Array(0), /^empty\.flac is empty\.$/],
      ["nan.wav", wavFile(nan, 16_000), /^nan\.wav holds samples that are not finite numbers\.$/],
      ["short.wav", wavFile(nan.slice(0, 20).fill(0), 16_000), /^short\.wav lasts .* ms, and 25 ms are needed\.$/],
      ["rate.wav", wavFile(nan.slice().fill(0), 0), /^rate\.wav is no audio that this browser can decode/],
      ["rate.wav", wavFile(nan.slice().fill(0), 4_000_000_000), /^rate\.wav is no audio that this browser can decode/],
      ["text.onnx", Buffer.from("not a model"), /^text\.onnx is no model that this page can open: .*not an ONNX file/],
      ["empty.onnx", new Uint8Array(0), /^empty\.onnx is empty\.$/],
      ["cut.onnx", (await readFile(student)).subarray(0, 5000), /^cut\.onnx is no model that this page can open: /],
      ["w.safetensors", Buffer.alloc(64), /^w\.safetensors is no model that this page can open: /],
    ];
    for (const [name, content, sentence] of hostile) {
      const said = await visit.drop(name, content);
      expect(said).toMatch(sentence);
      expect(said).toMatch(/^[^\n]{10,330}[.…]$/);
      expect(await visit.page.getAttribute("#sentence", "class")).toBe("failed");
    }
    expect(await visit.example()).toMatch(/phones in 2\.9 s/);
    expect(await visit.drop("student.onnx", await readFile(student))).toContain("every row is one dimension");
    expect(await visit.text("#idea")).toBe("student.onnx");
    expect(await visit.page.getAttribute("#states-picture", "aria-label")).toMatch(/: 144 frames of \d+ dimensions$/);
    expect(await visit.drop("mine.onnx", await readFile(pathOf("web/models/phones/phones.onnx")))).toMatch(/phones in/);
    expect(await visit.drop("faint.wav", wavFile(new Float32Array(32_000), 8000))).toMatch(
      /^(Nobody|\S+ phones?) .*4\.0 s/,
    );
    await visit.close();
  });

  test("a file of hundreds of megabytes is not even read, and a long one is cut after a minute", async () => {
    const visit = await Visit.to(browser, server.url);
    const said = await visit.page.evaluate(async () => {
      const file = new File([], "huge.wav");
      Object.defineProperty(file, "size", { value: 4e9 });
      const dataTransfer = new DataTransfer();
      const event = new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true });
      Object.defineProperty(event, "dataTransfer", { value: { types: ["Files"], files: [file] } });
      document.body.dispatchEvent(event);
      await new Promise((resolve) => setTimeout(resolve, 300));
      return document.getElementById("sentence")!.textContent;
    });
    expect(said).toBe("huge.wav has 4000 MB, and this page reads at most 300 MB.");
    const long = wavFile(new Float32Array(8000 * 70), 8000);
    expect(await visit.drop("long.wav", long)).toMatch(
      /^The first 60 s of long\.wav: Nobody was heard in these 60\.0 s/,
    );
    await visit.close();
  });

  test.each([
    [
      "refused",
      "NotAllowedError",
      /^The microphone was not allowed; allow it beside the page's address, or open a file\.$/,
    ],
    ["absent", "NotFoundError", /^There is no microphone here; plug one in, or open a file\.$/],
    ["in use", "NotReadableError", /^The microphone is in use by another program, or switched off\.$/],
  ])("a microphone that is %s is one sentence", async (_, name, sentence) => {
    const init = `navigator.mediaDevices.getUserMedia = async () => { throw new DOMException("no", "${name}"); };`;
    const visit = await Visit.to(browser, server.url, { init });
    await visit.page.click("#speak");
    await visit.page.waitForFunction(() => document.getElementById("sentence")!.className === "failed");
    expect(await visit.text("#sentence")).toMatch(sentence);
    expect(await visit.text("#speak")).toBe("Speak");
    expect(await visit.example()).toMatch(/^Five words/);
    await visit.close();
  });

  test.each([false, true])(
    "offline, isolated %s: once loaded, the page works without its server",
    async (isolated) => {
      const apart = await built.serve(isolated);
      const visit = await Visit.to(browser, apart.url, { serviceWorkers: "allow" });
      const { page } = visit;
      await page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
      expect(await visit.text("#engine")).toMatch(
        isolated ? /^WASM, [2-4] threads$|^WASM, 1 thread$/ : /^WASM, 1 thread$/,
      );
      await apart.close();
      await page.reload();
      await visit.settled();
      expect(await page.evaluate(() => crossOriginIsolated)).toBe(isolated);
      expect(await visit.example()).toMatch(/^Five words/);
      expect(await visit.tab("attention")).toContain("to which moments (across) a layer listens");
      expect(await page.evaluate(async () => (await fetch("manifest.webmanifest")).ok)).toBe(true);
      await visit.close();
    },
    120_000,
  );

  test("browsers offer to install it", async () => {
    const visit = await Visit.to(browser, server.url, { serviceWorkers: "allow" });
    const session = await visit.page.context().newCDPSession(visit.page);
    const { installabilityErrors } = (await session.send("Page.getInstallabilityErrors" as never)) as never as {
      installabilityErrors: { errorId: string }[];
    };
    expect(installabilityErrors.map(({ errorId }) => errorId).filter((id) => id !== "in-incognito")).toEqual([]);
    await visit.close();
  });

  test("the device is chosen: WebGPU where there is one hears the same digits", async () => {
    const plain = await Visit.to(browser, server.url);
    expect(await plain.page.locator("#device option").allTextContents()).toEqual(["the best device", "the CPU (WASM)"]);
    await plain.page.selectOption("#device", "wasm");
    await plain.settled();
    expect(await plain.text("#engine")).toMatch(/^WASM/);
    await plain.close();
    const graphics = await launchChromium({ webgpu: true });
    try {
      const visit = await Visit.to(graphics, server.url);
      await visit.page.selectOption("#device", "webgpu");
      await visit.settled();
      expect(await visit.text("#engine")).toBe("WebGPU");
      expect(await visit.example()).toMatch(/^Five words/);
      expect(await visit.text("#heard")).toBe(DIGITS.join(" "));
    } finally {
      await graphics.close();
    }
  }, 180_000); // two pages that settle, one on a graphics card in software

  test("the development server, on its first start", async () => {
    const development = await createServer({
      configFile: join(pathOf("web"), "vite.config.ts"),
      cacheDir: join(scratch, "cache"),
      logLevel: "error",
      server: { port: 0 },
    });
    await development.listen();
    try {
      const [url] = development.resolvedUrls!.local;
      expect(development.resolvedUrls!.network).toEqual([]);
      expect(url).toMatch(/^http:\/\/127\.0\.0\.1:/);
      const visit = await Visit.to(browser, url!);
      expect(await visit.page.evaluate(() => crossOriginIsolated)).toBe(true);
      expect(await visit.example()).toMatch(/^Five words/);
      await visit.page.click("#speak");
      await visit.page.waitForFunction(() => document.getElementById("speak")!.textContent!.trim() === "Stop");
      expect(visit.complaints).toEqual([]);
      await visit.close();
    } finally {
      await development.close();
    }
  });
});
