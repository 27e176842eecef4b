// What files and folders are called outside the machine that they lie on: paths tell who works where, names do not.

/** A user's own folder, or a way up: nobody else has them. */
const PRIVATE_START = /^(\/(home|Users)\/[^/]+|\/root|[A-Za-z]:\/(Users\/[^/]+)?|~[^/]*|(\.\.?(\/|$))+)\/?/;

/** The last two parts of a path: the folders above them are private. */
export const publicName = (path: string): string =>
  path
    .replaceAll("\\", "/")
    .replace(PRIVATE_START, "")
    .split("/")
    .filter((part) => !["", ".", ".."].includes(part))
    .slice(-2)
    .join("/");

/** Whether text is a path from the root of a file system, a user's folder, or upwards. */
const isPrivate = (text: string): boolean => /^(\/|~[\w.-]*\/|[A-Za-z]:[\\/]|\\\\|\.\.(\/|\\|$))/.test(text);

/** A value as JSON or YAML would have it, each text that is a private path by its public name; a relative one stays. */
export function publicNames<T>(value: T): T {
  const map = (one: unknown): unknown => {
    if (typeof one === "string") return isPrivate(one) ? publicName(one) : one;
    if (Array.isArray(one)) return one.map(map);
    if (typeof one !== "object" || one === null) return one;
    return Object.fromEntries(Object.entries(one).map(([key, item]) => [key, map(item)]));
  };
  return map(value) as T;
}

/** Absolute paths of two parts or more in running text; addresses of pages are none. */
const PATHS = /(?<![\w:/\\.~-])(~[\w.-]*[\\/]|[A-Za-z]:[\\/]|\/)[^\s"'`|()<>,;:\\/]+[\\/][^\s"'`|()<>,;:]*/g;

/** Running text with the absolute paths in it by their public names. */
export const publicText = (text: string): string => text.replace(PATHS, (path) => publicName(path));
