// Small corpora on disk for the data tests.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll } from "vitest";
import { closeDecodingThreads } from "../../src/data/index.ts";
import { sine, wav16 } from "../audio/signals.ts";

export const fixture = (name: string) => fileURLToPath(new URL(`../audio/fixtures/${name}`, import.meta.url));
export const speechFolder = fileURLToPath(new URL("../../examples/speech", import.meta.url));

const folders: string[] = [];
afterAll(async () => {
  await closeDecodingThreads();
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "stillwave-data-"));
  folders.push(folder);
  return folder;
}

/** A new folder with these files: numbers are lengths in samples of 16 kHz WAV files with a tone of their own. */
export function corpusOf(files: Readonly<Record<string, number | Uint8Array | string>>): string {
  const root = temporaryFolder();
  let tone = 100;
  for (const [name, content] of Object.entries(files)) {
    const path = join(root, name);
    mkdirSync(dirname(path), { recursive: true });
    tone += 37;
    writeFileSync(path, typeof content === "number" ? wav16(sine(tone, 16000, content)) : content);
  }
  return root;
}
