// Chromium for tests: the test page bundled as users bundle, served on 127.0.0.1, opened headless.
import { createReadStream, existsSync } from "node:fs";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { extname, join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import { type Browser, chromium, type Page } from "playwright-core";
import { build } from "vite";
import { afterAll, describe, test } from "vitest";
import type { TestPage } from "./page/page.ts";

const CANDIDATES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** Where Chromium is on this machine, or undefined. */
const chromiumPath: string | undefined = [process.env.CHROMIUM_PATH ?? "", ...CANDIDATES].find(
  (path) => path !== "" && existsSync(path),
);

/** A `describe` that needs Chromium: without it, skipped, and it says why. */
export function inChromium(title: string, tests: () => void): void {
  if (chromiumPath) describe(title, tests);
  else {
    const reason = `no Chromium here (looked for ${CANDIDATES.join(", ")}; CHROMIUM_PATH names another)`;
    console.log(`${title}: not tested, ${reason}`);
    describe(title, () => test.skip(reason, () => {}));
  }
}

const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
const GPU_FLAGS = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan"];

/** A microphone that is no device, allowed without asking. */
const MICROPHONE_FLAGS = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"];

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".wasm": "application/wasm",
  ".css": "text/css",
  ".json": "application/json",
  ".svg": "image/svg+xml",
  ".webmanifest": "application/manifest+json",
};

/** ONNX Runtime's engine files, as a deployment copies them next to its pages. */
const ortFolder = fileURLToPath(new URL("../../node_modules/onnxruntime-web/dist/", import.meta.url));

/** Serves folders by URL prefix, the longest prefix first. `isolated`: with the headers that WASM threads need. */
export async function serveFolders(
  folders: Readonly<Record<string, string>>,
  { isolated }: { readonly isolated: boolean },
): Promise<{ url: string; close: () => Promise<void> }> {
  const prefixes = Object.keys(folders).sort((a, b) => b.length - a.length);
  const server: Server = createServer(async (request, response) => {
    const path = posix.normalize(decodeURIComponent(new URL(request.url!, "http://page").pathname));
    const prefix = prefixes.find((candidate) => path.startsWith(candidate));
    const file = prefix && join(folders[prefix], path.slice(prefix.length) || "index.html");
    if (!file || !(await stat(file).catch(() => undefined))?.isFile()) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, {
      "Content-Type": TYPES[extname(file)] ?? "application/octet-stream",
      ...(isolated
        ? { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" }
        : {}),
    });
    createReadStream(file).pipe(response);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

/** Headless Chromium with a profile of its own that is gone afterwards. `microphone`: one that beeps, or plays a WAV file once. */
export function launchChromium(
  options: { readonly webgpu?: boolean; readonly microphone?: boolean | string } = {},
): Promise<Browser> {
  const flags = FLAGS.filter((flag) => !options.webgpu || flag !== "--disable-gpu");
  if (options.webgpu) flags.push(...GPU_FLAGS);
  if (options.microphone) flags.push(...MICROPHONE_FLAGS);
  if (typeof options.microphone === "string")
    flags.push(`--use-file-for-fake-audio-capture=${options.microphone}%noloop`);
  return chromium.launch({ executablePath: chromiumPath!, args: flags });
}

/** The test page in Chromium. */
export interface OpenPage {
  readonly page: Page;
  readonly url: string;
  call<K extends keyof TestPage>(name: K, ...args: Parameters<TestPage[K]>): Promise<Awaited<ReturnType<TestPage[K]>>>;
  close(): Promise<void>;
}

export interface PageOptions {
  readonly isolated?: boolean;
  readonly webgpu?: boolean;
  /** More folders to serve, by URL prefix. */
  readonly folders?: Readonly<Record<string, string>>;
}

let bundle: Promise<string> | undefined;
afterAll(async () => {
  if (bundle) await rm(await bundle, { recursive: true, force: true });
});

/** The test page, bundled once a test file. */
async function bundlePage(): Promise<string> {
  const outDir = await mkdtemp(join(tmpdir(), "stillwave-page-"));
  await build({
    root: fileURLToPath(new URL("page", import.meta.url)),
    configFile: false,
    logLevel: "error",
    resolve: { conditions: ["onnxruntime-web-use-extern-wasm", "module", "browser"] },
    build: { outDir, target: "es2022", minify: false, emptyOutDir: true },
  });
  return outDir;
}

/** Bundles the test page with Vite and opens it. The engine's files are below /ort/. */
export async function openTestPage(options: PageOptions = {}): Promise<OpenPage> {
  bundle ??= bundlePage();
  const outDir = await bundle;
  const server = await serveFolders(
    { "/": outDir, "/ort/": ortFolder, ...options.folders },
    { isolated: options.isolated ?? false },
  );
  const browser = await launchChromium(options);
  const page = await browser.newPage();
  await page.goto(server.url);
  await page.waitForFunction(() => "page" in globalThis);
  return {
    page,
    url: server.url,
    call: (name, ...args) =>
      page.evaluate(
        ([action, values]) =>
          (globalThis as unknown as { page: Record<string, (...args: unknown[]) => unknown> }).page[action](...values),
        [name, args] as [string, unknown[]],
      ) as never,
    async close() {
      await browser.close();
      await server.close();
    },
  };
}
