// Links of the built site that lead nowhere: pages and files that are not there, and headings that their page does not have.
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative } from "node:path";

const ATTRIBUTE = /<[a-z][^>]*?\s(?:href|src)="([^"]+)"/g;
const ANCHOR = /\s(?:id|name)="([^"]+)"/g;
const ENTITIES = { "&amp;": "&", "&quot;": '"', "&#39;": "'", "&lt;": "<", "&gt;": ">" };
const isWeb = (link) => /^([a-z]+:|\/\/)/i.test(link);
const plain = (text) => text.replace(/&(amp|quot|#39|lt|gt);/g, (entity) => ENTITIES[entity]);

/** Lines `page: link` for each dead link of the site in `folder`. */
export function deadLinks(folder) {
  const pages = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".html"));
  const texts = new Map(pages.map((path) => [join(folder, path), readFileSync(join(folder, path), "utf8")]));
  const anchors = new Map(
    [...texts].map(([path, text]) => [path, new Set([...text.matchAll(ANCHOR)].map(([, id]) => plain(id)))]),
  );
  return [...texts].flatMap(([page, text]) => {
    const links = new Set([...text.matchAll(ATTRIBUTE)].map(([, link]) => plain(link)));
    return [...links].filter((link) => !isWeb(link) && isDead(link)).map((link) => `${relative(folder, page)}: ${link}`);

    function isDead(link) {
      const [path, anchor] = decodeURI(link).split("#", 2);
      const [file] = path.split("?", 1);
      let target = file === "" ? page : file.startsWith("/") ? join(folder, file) : join(dirname(page), file);
      if (existsSync(target) && statSync(target).isDirectory()) target = join(target, "index.html");
      if (!existsSync(target)) return true;
      return Boolean(anchor) && anchors.has(target) && !anchors.get(target).has(anchor);
    }
  });
}
