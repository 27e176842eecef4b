// A recipe over the one that it extends: mappings are merged, all else is replaced.
import type { RecipeText } from "./text.ts";

export type Mapping = Record<string, unknown>;

/** The key that names what a recipe extends. */
export const EXTENDS = "extends";

/**
 * What texts say together, the first over the second and so on. null is a value like any other. Where a text sets one of two
 * settings that exclude each other, what it extends says nothing of the other.
 */
export function mergedTexts(texts: readonly RecipeText[], exclusive: readonly (readonly [string, string])[]): Mapping {
  const values = texts.map(({ value }) => {
    const { [EXTENDS]: _, ...own } = value;
    return own as Mapping;
  });
  return values.reduceRight((base, own) => {
    const whole = merged(base, own);
    for (const pair of exclusive)
      for (const [one, other] of [pair, pair.toReversed()])
        if ((at(own, one) ?? null) !== null && at(own, other) === undefined && at(base, other) !== undefined)
          unset(whole, other);
    return whole;
  });
}

const isMapping = (value: unknown): value is Mapping =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function merged(base: Mapping, own: Mapping): Mapping {
  const both = Object.entries(own).map(([key, value]) => {
    const below = Object.hasOwn(base, key) ? base[key] : undefined;
    return [key, isMapping(value) && isMapping(below) ? merged(below, value) : value] as const;
  });
  return { ...base, ...Object.fromEntries(both) };
}

const at = (value: unknown, path: string): unknown =>
  path
    .split(".")
    .reduce<unknown>((node, key) => (isMapping(node) && Object.hasOwn(node, key) ? node[key] : undefined), value);

/** Sets `a.b` to null without touching what the mapping was made of. */
function unset(root: Mapping, path: string): void {
  const [key, ...rest] = path.split(".");
  if (rest.length === 0) root[key] = null;
  else {
    root[key] = { ...(root[key] as Mapping) };
    unset(root[key] as Mapping, rest.join("."));
  }
}
