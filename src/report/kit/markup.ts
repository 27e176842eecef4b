// HTML as a tagged template that escapes everything but markup made by itself.

/** A piece of HTML that is safe to insert as it is. */
export class Markup {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

export type Content = Markup | string | number | false | null | undefined | readonly Content[];

const ENTITIES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

/** Text that a page may hold: control characters and lone surrogates become U+FFFD. */
export const withoutControls = (text: string): string => text.replace(/(?![\t\n\r])[\p{Cc}\p{Cs}]/gu, "\ufffd");

/** Escapes text for element content and quoted attributes. */
const escapeText = (text: string): string => withoutControls(text.replace(/[&<>"']/g, (char) => ENTITIES[char]));

function render(content: Content): string {
  if (content === false || content === null || content === undefined) return "";
  if (content instanceof Markup) return content.text;
  if (Array.isArray(content)) return content.map(render).join("");
  return escapeText(String(content));
}

/** html`<p title="${text}">${list}</p>`: strings and numbers are escaped; false, null and undefined leave nothing. */
export function html(strings: TemplateStringsArray, ...values: Content[]): Markup {
  return new Markup(strings.reduce((text, part, i) => text + render(values[i - 1]) + part));
}

/**
 * A picture's name and what it shows, for those who cannot see it: attributes of its `<svg>`, and what stands first inside. `key` is
 * unique in a page.
 */
export function svgText(key: string, title: string, description: string): { attributes: Markup; head: Markup } {
  const id = key.toLowerCase().replace(/[^a-z0-9]+/g, "-");
  return {
    attributes: html`role="img" aria-labelledby="${id}-title ${id}-text"`,
    head: html`<title id="${id}-title">${title}</title><desc id="${id}-text">${description}</desc>`,
  };
}
