// Shell functions that bash and zsh share: `case` statements that say which verbs, flags and values follow a verb.
import type { FlagWords, Value, VerbWords } from "./words.ts";

/** 'quoted' for a shell. */
export const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** A word with what is said about it, as a shell lists it. */
export type Listed = (word: string, description: string) => string;

/**
 * Functions that set variables, and fail where there is nothing to set: `<prefix>_at <path>` sets verbs and flags,
 * `<prefix>_value "<path> <flag>"` and `<prefix>_argument "<path>" <place>` set given (words) and names (files, folders, none).
 */
export function caseTables(prefix: string, verbs: readonly VerbWords[], listed: Listed): string {
  const flagsOf = ({ flags }: VerbWords) => flags.flatMap(listedFlags(listed)).join(" ");
  const at = verbs.map(
    (one) =>
      `    ${quoted(one.path)}) verbs=(${one.verbs.map(({ name, description }) => listed(name, description)).join(" ")}) flags=(${flagsOf(one)});;`,
  );
  return [
    `${prefix}_at() {`,
    '  case "$1" in',
    ...at,
    "    *) return 1;;",
    "  esac",
    "}",
    "",
    `${prefix}_value() {`,
    '  case "$1" in',
    ...grouped(verbs.flatMap(flagValues)),
    "    *) return 1;;",
    "  esac",
    "}",
    "",
    `${prefix}_argument() {`,
    '  case "$1 $2" in',
    ...grouped(verbs.flatMap(argumentValues)),
    "    *) return 1;;",
    "  esac",
    "}",
  ].join("\n");
}

const listedFlags =
  (listed: Listed) =>
  ({ names, description }: FlagWords): string[] =>
    names.map((name) => listed(name, description));

type Entry = readonly [pattern: string, value: Value];

const flagValues = ({ path, flags }: VerbWords): Entry[] =>
  flags.flatMap(({ names, value }) =>
    value ? names.map((name): Entry => [quoted(`${path} ${name}`.trim()), value]) : [],
  );

/** Places count from 0; of an argument that may be repeated, all further ones. */
const argumentValues = (verb: VerbWords): Entry[] =>
  verb.arguments.map((value, i) => {
    const repeats = verb.isVariadic && i === verb.arguments.length - 1;
    return [repeats ? `${quoted(`${verb.path} `)}*` : quoted(`${verb.path} ${i}`), value];
  });

/** One line for all places that take the same; what stands for any further place comes last. */
function grouped(entries: readonly Entry[]): string[] {
  const isOpen = ([pattern]: Entry) => pattern.endsWith("*");
  const groups = [entries.filter((entry) => !isOpen(entry)), entries.filter(isOpen)].map((some) => {
    const patterns = new Map<string, string[]>();
    for (const [pattern, { words, names }] of some) {
      const body = `given=(${words.map(quoted).join(" ")}) names=${names}`;
      patterns.set(body, [...(patterns.get(body) ?? []), pattern]);
    }
    return [...patterns].map(([body, list]) => `    ${list.join("|")}) ${body};;`);
  });
  return groups.flat();
}
