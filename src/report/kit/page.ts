// The frame of every report: one self-contained page that forbids itself to load anything, with one script of its own.
import { type Content, html, Markup } from "./markup.ts";
import type { Section } from "./pieces.ts";
import { SCRIPT, SCRIPT_HASH } from "./script.ts";
import { STYLE } from "./style.ts";

export interface PageOptions {
  /** Of the window. */
  readonly title: string;
  /** What kind of page this is: stands above the heading. */
  readonly kind: string;
  /** Default: the title. */
  readonly heading?: string;
  /** A sentence or two below the heading. */
  readonly lead: Content;
  /** Key numbers and notices at the top. */
  readonly summary?: Content;
  /** What is no section (`condition && ...`) is left out. */
  readonly sections: readonly (Section | false | undefined)[];
  /** The page holds recordings, as data: URIs. */
  readonly plays?: boolean;
}

const contents = (sections: readonly Section[]): Markup =>
  html`<nav class="contents" aria-label="Contents"><ol>${sections.map(({ id, title }) => html`<li><a href="#${id}">${title}</a></li>`)}</ol></nav>`;

/** The page as one string; follows the reader's light or dark preference. */
export function writePage({ title, kind, heading = title, lead, summary, sections, plays }: PageOptions): string {
  const policy = `default-src 'none'; img-src data:; ${plays ? "media-src data:; " : ""}style-src 'unsafe-inline'; script-src '${SCRIPT_HASH}'`;
  const shown = sections.filter((one) => one !== false && one !== undefined);
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<title>${title}</title>
<style>${new Markup(STYLE)}</style>
</head>
<body><main>
<header><p class="eyebrow">${kind}</p><h1>${heading}</h1>
<p class="lead">${lead}</p>
${summary}</header>
${shown.length > 1 && contents(shown)}
${shown.map(({ id, title: name, content }) => html`<section aria-labelledby="${id}"><h2 id="${id}">${name}</h2>${content}</section>\n`)}</main>
<script>${new Markup(SCRIPT)}</script>
</body>
</html>
`.text;
}
