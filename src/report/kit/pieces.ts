// The pieces that every report is built of: sections, key numbers, facts, notices, folds, small figures.
import { formatCount, plural } from "../../log/format.ts";
import { type Content, html, type Markup } from "./markup.ts";

/** A part of a page with a heading, which the list of contents leads to. */
export interface Section {
  readonly id: string;
  readonly title: string;
  readonly content: Content;
}

export const section = (id: string, title: string, content: Content): Section => ({ id, title, content });

type KeyNumber = readonly [label: string, value: Content, detail: Content];

/** Large figures, each with what it is above and what to know about it below; what is no figure is left out. */
export const keyNumbers = (numbers: readonly (KeyNumber | false)[]): Markup =>
  html`<dl class="keys">${numbers.map(
    (number) =>
      number &&
      html`<div><dt>${number[0]}</dt><dd><div class="value">${number[1]}</div><div class="detail">${number[2]}</div></dd></div>`,
  )}</dl>`;

/** Facts in the order given; what is not an entry (`condition && [...]`) is left out. */
export const facts = (entries: readonly (readonly [label: Content, value: Content] | false | undefined)[]): Markup =>
  html`<dl class="facts">${entries.map((entry) => entry && html`<dt>${entry[0]}</dt><dd>${entry[1]}</dd>`)}</dl>`;

/** One box a remark; what is no remark (`condition && ...`) is left out. */
export const notices = (remarks: readonly Content[]): Content =>
  remarks.filter(Boolean).map((remark) => html`<div class="notice">${remark}</div>`);

export const fold = (summary: string, content: Content): Markup =>
  html`<details><summary>${summary}</summary>${content}</details>`;

const MAX_RECIPE_CHARACTERS = 200_000;

/** The resolved recipe, folded: it is long, and the file lies in the run folder. */
export function recipeSection(text: string): Section {
  const shown = text.slice(0, MAX_RECIPE_CHARACTERS);
  return section("recipe", "Recipe", [
    fold(
      `Every setting, in ${plural(shown.trimEnd().split("\n").length, "line")}`,
      html`<pre tabindex="0" role="region" aria-label="Resolved recipe"><code>${shown}</code></pre>`,
    ),
    text.length > shown.length && html`<p class="note">Cut after ${formatCount(shown.length)} characters.</p>`,
  ]);
}

/** A picture of a word or two in size, with its name and its value above. */
export const miniature = (name: Content, value: Content, content: Content): Markup =>
  html`<figure><figcaption><span>${name}</span><b>${value}</b></figcaption>${content}</figure>`;

/** Says that `count` things are left out of a list; nothing where none is. */
export const notShown = (count: number, what = ""): Content =>
  count > 0 && html`<p class="note">${formatCount(count)} more ${what && `${what} `}are not shown.</p>`;
