// The docs site: what its build calls a dead link, and that every page of docs/ is in the sidebar. .ci/run builds it whole.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { repository } from "./cli/run.ts";
import { temporaryFolder } from "./data/corpora.ts";

const { deadLinks } = await import(pathToFileURL(join(repository, "site/dead-links.mjs")).href);

test("links to missing pages, files and headings are dead; the web's, and those that lead somewhere, are not", () => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, "api"));
  writeFileSync(join(folder, "api/index.html"), `<h1 id="a&amp;b">API</h1> <a href="../index.html#top">up</a>`);
  writeFileSync(join(folder, "style.css"), "");
  writeFileSync(
    join(folder, "index.html"),
    [
      `<link rel="stylesheet" href="/style.css"><h1 id="top">Top</h1><a href="#top">top</a><a href="#">here</a>`,
      `<a href="/api/">API</a><a href="api/index.html#a&amp;b">b</a><a href="https://example.org/none">web</a>`,
      `<a href="none.html">1</a><a href="api/index.html#none">2</a><a href="#none">3</a><img src="/none.png">`,
    ].join("\n"),
  );
  expect(deadLinks(folder).sort()).toEqual([
    "index.html: #none",
    "index.html: /none.png",
    "index.html: api/index.html#none",
    "index.html: none.html",
  ]);
});

test("every page of docs/ is in the sidebar", () => {
  const config = readFileSync(join(repository, "site/.vitepress/config.mjs"), "utf8");
  const pages = ["", "guides"].flatMap((folder) =>
    readdirSync(join(repository, "docs", folder))
      .filter((name) => name.endsWith(".md") && name !== "index.md")
      .map((name) => join("/", folder, name.replace(/\.md$/, ""))),
  );
  expect(pages.length).toBeGreaterThan(20);
  for (const page of pages) expect(config, page).toContain(`"${page}"`);
});
