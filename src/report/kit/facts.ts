// The small pieces that reports state facts with: a key number, an entry of a list of facts.
import { type Content, html, type Markup } from "./markup.ts";

/** A large figure with what it is above and what to know about it below; stands in a `<dl class="keys">`. */
export function keyNumber(label: string, value: Content, detail: Content): Markup {
  return html`<div><dt>${label}</dt><dd><div class="value">${value}</div><div class="detail">${detail}</div></dd></div>`;
}

/** Stands in a `<dl class="facts">`. */
export const fact = (label: string, value: Content): Markup => html`<dt>${label}</dt><dd>${value}</dd>`;
