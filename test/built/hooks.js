// Module hooks of programs that tests start: sources are what was built of them, which tsx does not have to translate.
import { readFileSync } from "node:fs";

const [SOURCES, BUILT] = ["../../src/", "../../dist/"].map((folder) => new URL(folder, import.meta.url).href);

export async function resolve(specifier, context, next) {
  if (!/^\.\.?\//.test(specifier) || !context.parentURL) return next(specifier, context);
  const { href } = new URL(specifier, context.parentURL);
  const isSource = href.startsWith(SOURCES) && href.endsWith(".ts");
  const url = isSource ? `${BUILT}${href.slice(SOURCES.length, -".ts".length)}.js` : href;
  if (!url.startsWith(BUILT)) return next(specifier, context);
  return { url, format: "module", shortCircuit: true };
}

export async function load(url, context, next) {
  if (!url.startsWith(BUILT)) return next(url, context);
  return { format: "module", source: readFileSync(new URL(url)), shortCircuit: true };
}
