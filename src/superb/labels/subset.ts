// A part of a split that does not depend on its order, nor on what else is in the corpus.
import { createHash } from "node:crypto";

/** The items in the order of a hash of their ids. */
export function hashOrder<T extends { readonly id: string }>(items: readonly T[]): T[] {
  const hashes = items.map((item) => ({ item, hash: createHash("sha256").update(item.id).digest("hex") }));
  return hashes.sort((a, b) => (a.hash < b.hash ? -1 : 1)).map(({ item }) => item);
}

/** At most `most` items, drawn by a hash of their ids, in the order given. */
export function drawn<T extends { readonly id: string }>(items: readonly T[], most: number | undefined): readonly T[] {
  if (most === undefined || items.length <= most) return items;
  const taken = new Set(hashOrder(items).slice(0, most));
  return items.filter((item) => taken.has(item));
}
