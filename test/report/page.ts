// Looks into report pages: parsed, as text, and for anything that a browser could run or load from elsewhere.

import { createHash } from "node:crypto";
import { parseHTML } from "linkedom";

export const parse = (page: string) => parseHTML(page).document;

export const textOf = (page: string) =>
  parse(page.replaceAll("<", " <")).querySelector("main")!.textContent.replace(/\s+/g, " ");

const DATA_URI = /^(#|data:image\/png;base64,|data:audio\/(flac|wav|ogg|mpeg|mp4);base64,[A-Za-z0-9+/=]*$)/;

/** Everything a browser could load from elsewhere or run, beside the one script inside that the page's policy allows by its hash. */
export function outside(page: string): string[] {
  const found: string[] = [];
  const document = parse(page);
  const policy = document.querySelector("meta[http-equiv=Content-Security-Policy]")!.getAttribute("content")!;
  const text = page.slice(page.lastIndexOf("<script>") + 8, page.lastIndexOf("</script>"));
  if (!policy.endsWith(`script-src 'sha256-${createHash("sha256").update(text).digest("base64")}'`)) found.push(policy);
  if (/fetch|XMLHttp|import|eval|innerHTML|https?:(?!\/\/www\.w3\.org\/2000\/svg)/.test(text))
    found.push("script that loads");
  document.querySelector("script:not([src])")?.remove();
  for (const element of document.querySelectorAll("*")) {
    if (["script", "link", "iframe", "object", "embed", "base", "form"].includes(element.localName))
      found.push(element.localName);
    for (const { name, value } of element.attributes) {
      if (name.startsWith("on")) found.push(`${element.localName} ${name}`);
      if (["src", "href", "srcset", "action", "data", "xlink:href"].includes(name) && !DATA_URI.test(value))
        found.push(`${element.localName} ${name}=${value.slice(0, 100)}`);
      if (name === "style" && /url\(|expression|@import/i.test(value)) found.push(`style ${value}`);
    }
  }
  for (const style of document.querySelectorAll("style"))
    if (/url\(|@import|<\//.test(style.textContent)) found.push("style sheet");
  return found;
}

/** Identifiers that stand in the page twice, and references to ones that do not exist. */
export function brokenIds(page: string): string[] {
  const document = parse(page);
  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  const twice = ids.filter((id, i) => ids.indexOf(id) !== i);
  const known = new Set(ids);
  const named = [...document.querySelectorAll("[aria-labelledby]")].flatMap((element) =>
    element.getAttribute("aria-labelledby")!.split(" "),
  );
  return [...twice, ...named.filter((id) => !known.has(id))];
}
