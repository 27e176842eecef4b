// The Python literals found in model configurations, parsed by a grammar and never evaluated: "[(512,10,5)] + [(512,3,2)] * 4".
import { StillwaveError } from "../../errors.ts";

export type Literal = number | boolean | null | string | Literal[];

const MAX_TEXT = 20_000;
const MAX_ITEMS = 10_000;
const MAX_NESTING = 16;
const WORD = /\d+\.?\d*(?:[eE][+-]?\d+)?|True|False|None|'[^']*'|"[^"]*"|[[\](),+*-]|\S/gs;

type Fail = (problem: string) => never;

/**
 * Grammar: sum = product ("+" product)*; product = value ("*" integer)*; value = number | True | False | None | 'text' |
 * [list] | (tuple) | (sum). `+` joins lists and adds numbers, `*` repeats lists and multiplies numbers.
 * @throws StillwaveError naming `what`
 */
export function parseLiteral(text: string, what: string): Literal {
  const fail: Fail = (problem) => {
    throw new StillwaveError(`${what}: ${problem} in "${text.slice(0, 200)}"`);
  };
  if (text.length > MAX_TEXT) fail(`${text.length} characters (at most ${MAX_TEXT})`);
  const words = text.match(WORD) ?? [];
  let at = 0;
  const accept = (word: string): boolean => words[at] === word && ++at > 0;
  const sum = (depth: number): Literal => {
    let left = product(depth);
    while (accept("+")) left = added(left, product(depth), fail);
    return left;
  };
  const product = (depth: number): Literal => {
    let left = value(depth);
    while (accept("*")) left = multiplied(left, value(depth), fail);
    return left;
  };
  const sequence = (close: string, depth: number): { items: Literal[]; commas: number } => {
    const items: Literal[] = [];
    let commas = 0;
    while (!accept(close)) {
      if (items.length > commas) fail(`expected "," or "${close}"`);
      items.push(sum(depth + 1));
      if (accept(",")) commas++;
    }
    return { items, commas };
  };
  const value = (depth: number): Literal => {
    if (depth > MAX_NESTING) fail("nested too deeply");
    const word = words[at++];
    if (word === undefined) return fail("ends early");
    if (word === "[") return sequence("]", depth).items;
    if (word === "(") {
      const { items, commas } = sequence(")", depth);
      return items.length === 1 && commas === 0 ? items[0] : items;
    }
    if (word === "-" && /^\d/.test(words[at] ?? "")) return -Number(words[at++]);
    return scalar(word, fail);
  };
  const result = sum(0);
  if (at < words.length) fail(`unexpected "${words[at]}"`);
  return result;
}

function scalar(word: string, fail: Fail): Literal {
  if (word === "True" || word === "False") return word === "True";
  if (word === "None") return null;
  if (/^['"]/.test(word) && word.length > 1) return word.slice(1, -1);
  return /^\d/.test(word) ? Number(word) : fail(`unexpected "${word}"`);
}

function added(a: Literal, b: Literal, fail: Fail): Literal {
  if (typeof a === "number" && typeof b === "number") return a + b;
  if (!Array.isArray(a) || !Array.isArray(b)) return fail("+ between unlike values");
  return a.length + b.length > MAX_ITEMS ? fail(`over ${MAX_ITEMS} items`) : [...a, ...b];
}

function multiplied(a: Literal, b: Literal, fail: Fail): Literal {
  if (typeof a === "number" && typeof b === "number") return a * b;
  const [list, times] = Array.isArray(a) ? [a, b] : [b, a];
  if (!Array.isArray(list) || typeof times !== "number" || !Number.isInteger(times) || times * list.length > MAX_ITEMS)
    return fail("* needs a list and a small integer");
  return list.length === 0 ? [] : Array.from({ length: Math.max(0, times) }, () => list).flat(1);
}
