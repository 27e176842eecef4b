// The page, built and served as on a site, and opened as a visitor opens it.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { build } from "vite";
import { serveFolders } from "../chromium.ts";

export const pathOf = (name: string) => fileURLToPath(new URL(`../../../${name}`, import.meta.url));

/** The example of the tabs that hear phones. */
export const SPEECH = pathOf("examples/speech/dev/1284/1180/1284-1180-0022.flac");

export interface BuiltPage {
  readonly folder: string;
  /** Serves it. `isolated`: with the headers that threads need. */
  serve(isolated: boolean): ReturnType<typeof serveFolders>;
  remove(): Promise<void>;
}

export async function buildPage(): Promise<BuiltPage> {
  const folder = await mkdtemp(join(tmpdir(), "stillwave-built-"));
  const configFile = pathOf("web/vite.config.ts");
  await build({ root: pathOf("web"), configFile, logLevel: "error", build: { outDir: folder, emptyOutDir: true } });
  return {
    folder,
    serve: (isolated) => serveFolders({ "/": folder }, { isolated }),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

/** The page in a tab of its own, with what it complained about and asked for. */
export class Visit {
  readonly page: Page;
  readonly complaints: string[] = [];
  readonly requests: string[] = [];

  private constructor(page: Page) {
    this.page = page;
    page.on("console", (message) => {
      const isKnown = /No available adapters|powerPreference|registration blocked by Playwright/.test(message.text());
      if (["error", "warning"].includes(message.type()) && !isKnown) this.complaints.push(message.text());
    });
    page.on("pageerror", (error) => this.complaints.push(String(error)));
    page.on("request", (request) => this.requests.push(request.url()));
  }

  /** Opens the page and waits until its first model is there, or is said not to be. */
  static async to(
    browser: Browser,
    url: string,
    { init, ...options }: BrowserContextOptions & { readonly init?: string } = {},
  ): Promise<Visit> {
    const context = await browser.newContext({ serviceWorkers: "block", ...options });
    if (init) await context.addInitScript(init);
    const visit = new Visit(await context.newPage());
    await visit.page.goto(url);
    await visit.settled();
    return visit;
  }

  /** The sentence, once nothing is loaded or computed any more. */
  async settled(): Promise<string> {
    await this.page.waitForFunction(
      () => !/^(Loading|Computing|Opening)/.test(document.getElementById("sentence")!.textContent!),
      undefined,
      { timeout: 90_000 },
    );
    return (await this.page.textContent("#sentence"))!;
  }

  async text(selector: string): Promise<string> {
    return ((await this.page.textContent(selector)) ?? "").trim();
  }

  async tab(name: string): Promise<string> {
    await this.page.click(`#tab-${name}`);
    return this.settled();
  }

  /** Takes the example of the tab; the sentence about it. */
  async example(): Promise<string> {
    const before = await this.text("#sentence");
    await this.page.click("#example");
    await this.page.waitForFunction((old) => document.getElementById("sentence")!.textContent !== old, before);
    return this.settled();
  }

  /** Drops a file onto the page, as from a desktop; the sentence that follows. */
  async drop(name: string, content: Uint8Array): Promise<string> {
    await this.page.evaluate(() => {
      document.getElementById("sentence")!.textContent = "Opening a drop";
    });
    await this.page.evaluate(
      async ([fileName, base64]) => {
        const bytes = await (await fetch(`data:application/octet-stream;base64,${base64}`)).arrayBuffer();
        const dataTransfer = new DataTransfer();
        dataTransfer.items.add(new File([bytes], fileName));
        for (const type of ["dragenter", "dragover", "drop"])
          document.body.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }));
      },
      [name, Buffer.from(content).toString("base64")] as const,
    );
    return this.settled();
  }

  async close(): Promise<void> {
    await this.page.context().close();
  }
}

/** A WAV file of samples in 32-bit floats, whose header can lie about its rate. */
export function wavFile(samples: Float32Array, rate: number): Buffer {
  const header = Buffer.alloc(44);
  header.write("RIFF", 0);
  header.writeUInt32LE(36 + samples.byteLength, 4);
  header.write("WAVEfmt ", 8);
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(3, 20);
  header.writeUInt16LE(1, 22);
  header.writeUInt32LE(rate, 24);
  header.writeUInt32LE((rate * 4) >>> 0, 28);
  header.writeUInt16LE(4, 32);
  header.writeUInt16LE(32, 34);
  header.write("data", 36);
  header.writeUInt32LE(samples.byteLength, 40);
  return Buffer.concat([header, Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength)]);
}
