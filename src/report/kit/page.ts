// The frame of every report: one self-contained page without scripts, which forbids itself to load anything.
import { type Content, html, Markup } from "./markup.ts";
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
  readonly sections: readonly Content[];
  /** The page holds recordings, as data: URIs. */
  readonly plays?: boolean;
}

/** The page as one string; follows the reader's light or dark preference. */
export function writePage({ title, kind, heading = title, lead, summary, sections, plays }: PageOptions): string {
  const policy = `default-src 'none'; img-src data:; ${plays ? "media-src data:; " : ""}style-src 'unsafe-inline'`;
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
${sections.map((section) => [section, "\n"])}</main></body>
</html>
`.text;
}
