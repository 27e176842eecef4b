// The frame of every report: one self-contained page without scripts, which forbids itself to load anything.
import { type Content, html, Markup } from "./markup.ts";
import { STYLE } from "./style.ts";

export interface PageOptions {
  readonly title: string;
  /** Content of `<main>`. */
  readonly body: Content;
  /** Style sheet after the common one; never holds text from outside. */
  readonly style?: string;
  /** The page holds recordings, as data: URIs. */
  readonly plays?: boolean;
}

/** The page as one string; follows the reader's light or dark preference. */
export function writePage({ title, body, style = "", plays = false }: PageOptions): string {
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
<style>${new Markup(STYLE + style)}</style>
</head>
<body><main>
${body}
</main></body>
</html>
`.text;
}
