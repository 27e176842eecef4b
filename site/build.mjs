// Builds the site into site/dist: typedoc's reference first, then the pages around it. Dead links fail.
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { deadLinks } from "./dead-links.mjs";

const at = (path) => fileURLToPath(new URL(path, import.meta.url));

function run(command, args, cwd) {
  const { status } = spawnSync(process.execPath, [command, ...args], { cwd, stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
}

const vitepress = at("node_modules/vitepress/bin/vitepress.js");
if (!existsSync(vitepress)) {
  console.error("the site's own tools are not installed: npm ci --prefix site --ignore-scripts");
  process.exit(1);
}
const isServing = process.argv.includes("--dev");
run(at("../node_modules/typedoc/bin/typedoc"), ["--logLevel", "Warn"], at(".."));
rmSync(at("public/api"), { recursive: true, force: true });
cpSync(at("../docs/api"), at("public/api"), { recursive: true });
run(vitepress, [isServing ? "dev" : "build", "."], at("."));
if (!isServing) {
  const dead = deadLinks(at("dist"));
  for (const link of dead) console.error(`dead link in ${link}`);
  if (dead.length > 0) process.exit(1);
}
