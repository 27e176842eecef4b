// The site: pages are the files of docs/, read where they lie; the API reference is typedoc's, beside them.
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitepress";

const root = fileURLToPath(new URL("../../", import.meta.url));
const docs = join(root, "docs");
const SOURCE = "https://github.com/stillwave/stillwave/blob/main/";

/** Links between pages of docs/ work as they stand; what leads out of docs/ goes to the source. */
function linksToSource(markdown) {
  markdown.core.ruler.push("links-to-source", ({ tokens, env }) => {
    const links = tokens.flatMap(({ children }) => children ?? []).filter(({ type }) => type === "link_open");
    for (const link of links) {
      const target = link.attrGet("href") ?? "";
      if (/^[a-z]+:|^[#/]/.test(target)) continue;
      const [path] = target.split("#", 1);
      const inside = relative(root, resolve(dirname(env.path ?? docs), path));
      if (inside.startsWith("docs/") && inside.endsWith(".md")) continue;
      if (existsSync(join(root, inside))) link.attrSet("href", SOURCE + inside);
    }
  });
}

const page = (text, link) => ({ text, link });

export default defineConfig({
  title: "Stillwave",
  description: "Makes large speech models small: attention-map reuse and masking distillation.",
  srcDir: "../docs",
  srcExclude: ["api/**"],
  outDir: "./dist",
  cacheDir: "./.cache",
  cleanUrls: false,
  lastUpdated: false,
  ignoreDeadLinks: [/^\/api\//],
  markdown: { config: linksToSource },
  vite: {
    publicDir: resolve(root, "site/public"),
    // pages lie beside this folder, whose packages they do not see
    resolve: {
      alias: [
        { find: /^vue$/, replacement: createRequire(import.meta.url).resolve("vue/dist/vue.runtime.esm-bundler.js") },
        { find: /^vue\/server-renderer$/, replacement: createRequire(import.meta.url).resolve("@vue/server-renderer/dist/server-renderer.esm-bundler.js") },
      ],
    },
  },
  themeConfig: {
    search: { provider: "local" },
    outline: [2, 3],
    nav: [page("Tutorial", "/tutorial"), page("Method", "/method"), { text: "API", link: "/api/index.html", target: "_self" }],
    sidebar: [
      { text: "Begin", items: [page("Tutorial", "/tutorial"), page("Command line", "/command-line"), page("Recipes", "/recipes")] },
      {
        text: "Train and evaluate",
        items: [
          page("Manifests", "/manifests"),
          page("Audio", "/audio"),
          page("Objectives", "/objectives"),
          page("Pre-training", "/pretraining"),
          page("SUPERB", "/superb"),
          page("Accelerators", "/accelerators"),
          page("Logging", "/logging"),
          page("Dashboard", "/dashboard"),
        ],
      },
      { text: "Use", items: [page("Fine-tuning", "/finetuning"), page("Export", "/export"), page("Recognisers", "/recognizers"), page("Streaming", "/streaming"), page("Long recordings", "/long-recordings"), page("The hub", "/hub")] },
      {
        text: "Inside",
        items: [
          page("Method", "/method"),
          page("Architecture", "/design"),
          page("Engine", "/engine"),
          page("Findings", "/findings"),
          page("Evidence", "/evidence"),
          page("Add an op", "/guides/add-an-op"),
          page("Add a task", "/guides/add-a-task"),
          page("Add a checkpoint format", "/guides/add-a-checkpoint-format"),
        ],
      },
    ].map((group) => ({
      ...group,
      items: group.items.filter(({ link }) => existsSync(join(docs, `${link}.md`))),
    })),
  },
});
