// Says what is wrong with a recipe's value in words a user can act on.
import type { z } from "zod";
import { suggestion } from "./closest.ts";
import { EXTENDS } from "./merge.ts";
import { childKeys } from "./shape.ts";
import type { RecipeProblem } from "./source.ts";
import type { RecipePath } from "./text.ts";

/** What `schema` finds wrong with a value, as recipe problems that show what stands there. */
export function problemsOf(
  schema: z.core.$ZodType,
  issues: readonly z.core.$ZodIssue[],
  value: unknown,
): RecipeProblem[] {
  return issues.flatMap((issue): RecipeProblem[] => {
    const path = issue.path as RecipePath;
    if (issue.code === "unrecognized_keys")
      return issue.keys.map((key) => ({
        path: [...path, key],
        message: unknownKey(key, [...(path.length === 0 ? [EXTENDS] : []), ...childKeys(schema, path)]),
        atKey: true,
      }));
    return [{ path, message: describe(issue, valueAt(value, path)) }];
  });
}

function unknownKey(key: string, valid: readonly string[]): string {
  return `unknown key${suggestion(key, valid) || ";"} valid: ${valid.join(", ")}`;
}

function describe(issue: z.core.$ZodIssue, value: unknown): string {
  const got = `got ${show(value)}`;
  if (value === undefined) return `missing: ${expected(issue)}`;
  switch (issue.code) {
    case "too_small":
      return `too small: ${bound(issue.origin, issue.inclusive === false ? "more than" : "at least", issue.minimum)}, ${got}`;
    case "too_big":
      return `too big: ${bound(issue.origin, issue.inclusive === false ? "less than" : "at most", issue.maximum)}, ${got}`;
    case "invalid_value": {
      const names = issue.values.map(String);
      const near = typeof value === "string" ? suggestion(value, names) : "";
      return `${expected(issue)}, ${got}${near}`;
    }
    default:
      return `${expected(issue)}, ${got}`;
  }
}

function bound(origin: string, relation: string, limit: number | bigint): string {
  const unit = origin === "array" ? " entries" : origin === "string" ? " characters" : "";
  return `${relation} ${limit}${unit}`;
}

const KINDS: Record<string, string> = {
  int: "an integer",
  number: "a number",
  string: "text",
  boolean: "true or false",
  array: "a list",
  tuple: "a list",
  object: "a mapping",
};

function expected(issue: z.core.$ZodIssue): string {
  if (issue.code === "invalid_type") return `expected ${KINDS[issue.expected] ?? issue.expected}`;
  if (issue.code === "invalid_value") return `expected one of ${issue.values.join(", ")}`;
  return issue.message;
}

function valueAt(value: unknown, path: RecipePath): unknown {
  let node = value;
  for (const key of path) {
    if (typeof node !== "object" || node === null) return undefined;
    node = (node as Record<string | number, unknown>)[key];
  }
  return node;
}

/** A value, short enough for a message. */
function show(value: unknown): string {
  if (typeof value === "number") return String(value);
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
