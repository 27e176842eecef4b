// A part of a split that does not depend on its order, nor on what else is in the corpus.
import { createHash } from "node:crypto";

/** At most `most` items, drawn by a hash of their ids, in the order given. */
export function drawn<T extends { readonly id: string }>(items: readonly T[], most: number | undefined): readonly T[] {
  if (most === undefined || items.length <= most) return items;
  const hashed = items.map((item, place) => ({
    item,
    place,
    hash: createHash("sha256").update(item.id).digest("hex"),
  }));
  const taken = hashed.sort((a, b) => (a.hash < b.hash ? -1 : 1)).slice(0, most);
  return taken.sort((a, b) => a.place - b.place).map(({ item }) => item);
}
