// What threads and programs of tests run in the place of sources: what was built of them, where it is up to date. tsx takes
// about a second to start on the sources.
const { isStale } = await import(new URL("../../scripts/build.js", import.meta.url).href);
const sources = new URL("../../src/", import.meta.url).href;
let known: boolean | undefined;

/** Whether dist/ is what the sources are now. */
function isBuilt(): boolean {
  known ??= !isStale();
  return known;
}

/** What is built of a source, or what was given. */
export function builtOf(entry: string | URL): string | URL {
  const { href } = new URL(entry);
  if (!href.startsWith(sources) || !href.endsWith(".ts") || !isBuilt()) return entry;
  return new URL(`../../dist/${href.slice(sources.length, -".ts".length)}.js`, import.meta.url);
}

/** Options of Node for a program in TypeScript. */
export const typescriptOptions = (): string[] => [
  "--import",
  "tsx",
  ...(isBuilt() ? ["--import", new URL("register.js", import.meta.url).href] : []),
];
