// Text as tokens between white space, and lists of words as messages show them. Imports nothing of Node's.

/** Tokens between white space. */
export const tokensOf = (text: string): string[] => text.split(/\s+/).filter((token) => token !== "");

/** At most `limit` of `items` joined for a message, with how many were left out. */
export function listSome(items: readonly string[], limit: number): string {
  const shown = items.slice(0, limit).join(", ");
  return items.length > limit ? `${shown} and ${items.length - limit} more` : shown;
}
