// What any list is read into, and the ids of entries that have none: from their paths, plain and different.
import { dirname, extname, posix } from "node:path";
import type { Listed } from "../corpus.types.ts";
import type { Span } from "../span.ts";

/** An entry of a list; without an id it gets one. */
export interface Item extends Omit<Listed, "id" | "place"> {
  readonly id?: string;
  /** The path as the list gives it. */
  readonly name: string;
  readonly place: string;
}

/**
 * Gives every entry an id: its path in the list without extension, or, where one is absolute or leads out of the list's
 * folder, the path below the folder that all have in common. Parts of one recording are told apart by their times.
 */
export function withIds<T extends Item>(items: readonly T[]): (Omit<T, "name"> & { readonly id: string })[] {
  const nameless = items.filter(({ id }) => id === undefined);
  const names = new Map(nameless.map((item) => [item.path, plainName(item.name)]));
  if (![...names.values()].every(isInside)) {
    const common = commonFolder([...names.keys()].map(slashed));
    for (const path of names.keys()) names.set(path, slashed(path).slice(common.length));
  }
  const uses = new Map<string, number>();
  for (const { path } of nameless) uses.set(path, (uses.get(path) ?? 0) + 1);
  return items.map(({ name, ...item }) => {
    const stem = withoutExtension(names.get(item.path) ?? "");
    const isPart = item.span !== undefined && (uses.get(item.path) ?? 0) > 1;
    return { ...item, id: item.id ?? (isPart && item.span ? `${stem}_${timesIn(item.span)}` : stem) };
  });
}

const slashed = (path: string): string => path.replaceAll("\\", "/");
const plainName = (name: string): string => posix.normalize(slashed(name));
const isInside = (name: string): boolean => !/^(\.\.?(\/|$)|\/|[a-z]:\/)/i.test(name);
const withoutExtension = (path: string): string => path.slice(0, path.length - extname(path).length);

/** The longest folder that all paths begin with, its slash included. */
function commonFolder(paths: readonly string[]): string {
  let common = `${dirname(paths[0])}/`.replace(/^\/\/$/, "/");
  for (const path of paths)
    while (!path.startsWith(common)) common = common.slice(0, common.lastIndexOf("/", common.length - 2) + 1);
  return common;
}

/** `000200-000600`: milliseconds, or samples behind an s. */
function timesIn({ unit, start, end }: Span): string {
  const text = (value: number) =>
    unit === "seconds" ? String(Math.round(value * 1000)).padStart(6, "0") : `s${String(value).padStart(6, "0")}`;
  return `${text(start)}-${end === undefined ? "end" : text(end)}`;
}
