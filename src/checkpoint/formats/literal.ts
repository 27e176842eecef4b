// The Python literals found in model configurations, parsed by a grammar and never evaluated: "[(512,10,5)] + [(512,3,2)] * 4".
import { StillwaveError } from "../../errors.ts";

export type Literal = number | boolean | null | string | Literal[];

const MAX_TEXT = 20_000;
const MAX_ITEMS = 10_000;
const MAX_NESTING = 16;

/**
 * Grammar: sum = product ("+" product)*; product = value ("*" integer)*; value = number | True | False | None | 'text' |
 * [list] | (tuple) | (sum). `+` joins lists and adds numbers, `*` repeats lists and multiplies numbers.
 */
export function parseLiteral(text: string, what: string): Literal {
  const fail = (problem: string): never => {
    throw new StillwaveError(`${what}: ${problem} in "${text.slice(0, 200)}"`);
  };
  if (text.length > MAX_TEXT) fail(`${text.length} characters (at most ${MAX_TEXT})`);
  const tokens = text.match(/\s+|\d+\.?\d*(?:[eE][+-]?\d+)?|True|False|None|'[^']*'|"[^"]*"|[[\](),+*-]|./gs) ?? [];
  const words = tokens.filter((token) => token.trim() !== "");
  let at = 0;

  const accept = (token: string): boolean => words[at] === token && ++at > 0;
  const sum = (depth: number): Literal => {
    let left = product(depth);
    while (accept("+")) {
      const right = product(depth);
      if (Array.isArray(left) && Array.isArray(right)) left = bounded([...left, ...right]);
      else if (typeof left === "number" && typeof right === "number") left += right;
      else fail("+ between unlike values");
    }
    return left;
  };
  const product = (depth: number): Literal => {
    let left = value(depth);
    while (accept("*")) {
      const right = value(depth);
      const [list, times] = Array.isArray(left) ? [left, right] : [right, left];
      if (typeof left === "number" && typeof right === "number") left *= right;
      else if (
        Array.isArray(list) &&
        typeof times === "number" &&
        Number.isInteger(times) &&
        times * list.length <= MAX_ITEMS
      )
        left = Array.from({ length: Math.max(0, list.length ? times : 0) }, () => list).flat(1) as Literal[];
      else fail("* needs a list and a small integer");
    }
    return left;
  };
  const bounded = (list: Literal[]): Literal[] => (list.length > MAX_ITEMS ? fail(`over ${MAX_ITEMS} items`) : list);
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
    const token = words[at++];
    if (token === undefined) return fail("ends early");
    if (token === "[") return sequence("]", depth).items;
    if (token === "(") {
      const { items, commas } = sequence(")", depth);
      return items.length === 1 && commas === 0 ? items[0] : items;
    }
    if (token === "True" || token === "False") return token === "True";
    if (token === "None") return null;
    if (/^['"]/.test(token) && token.length > 1) return token.slice(1, -1);
    if (token === "-" && /^\d/.test(words[at] ?? "")) return -Number(words[at++]);
    if (/^\d/.test(token)) return Number(token);
    return fail(`unexpected "${token}"`);
  };

  const result = sum(0);
  if (at < words.length) fail(`unexpected "${words[at]}"`);
  return result;
}
