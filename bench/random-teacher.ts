// Writes a model folder with a published architecture and random weights: a full-size teacher where the real one cannot be had.
// Usage: npx tsx bench/randomTeacher.ts <folder> [facebook/hubert-base-ls960]
import { writeModelFolder } from "../src/checkpoint/index.ts";
import { initParameters } from "../src/models/init.ts";
import { publishedArchitecture, publishedIds } from "../src/models/published.ts";

const [folder, id = "facebook/hubert-base-ls960"] = process.argv.slice(2);
const config = publishedArchitecture(id);
if (!folder || !config) {
  console.error(`usage: npx tsx bench/randomTeacher.ts <folder> [${publishedIds().join(" | ")}]`);
  process.exit(2);
}
await writeModelFolder(folder, {
  config,
  parameters: initParameters(config, { seed: 1 }),
  card: `# Random weights\n\nThe architecture of ${id} with untrained weights, for measurements only.\n`,
});
