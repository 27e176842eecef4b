// Writes a model folder with a published architecture and random weights: a full-size teacher where the real one cannot be had.
// Usage: npx tsx bench/random-teacher.ts <folder> [facebook/hubert-base-ls960]
import { existsSync } from "node:fs";
import { mkdtemp, rename, rm } from "node:fs/promises";
import { writeModelFolder } from "../src/checkpoint/index.ts";
import { initParameters } from "../src/models/init.ts";
import { publishedArchitecture, publishedIds } from "../src/models/published.ts";

/** Writes it where it is not there yet; whole, or not at all. */
export async function writeRandomTeacher(folder: string, id: string): Promise<void> {
  if (existsSync(folder)) return;
  const config = publishedArchitecture(id);
  if (!config) throw new Error(`no published architecture "${id}"; there are ${publishedIds().join(", ")}`);
  const made = await mkdtemp(`${folder}.`);
  await writeModelFolder(made, {
    config,
    parameters: initParameters(config, { seed: 1 }),
    card: `# Random weights\n\nThe architecture of ${id} with untrained weights, for measurements only.\n`,
  });
  // another process may have been first
  await rename(made, folder).catch(() => rm(made, { recursive: true }));
}

if (process.argv[1] === import.meta.filename) {
  const [folder, id = "facebook/hubert-base-ls960"] = process.argv.slice(2);
  if (!folder || folder.startsWith("-")) {
    console.error(`usage: npx tsx bench/random-teacher.ts <folder> [${publishedIds().join(" | ")}]`);
    process.exit(2);
  }
  await writeRandomTeacher(folder, id);
}
