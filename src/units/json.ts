// What is said as JSON: read where it may be damaged, hashed where it is a key.
import { createHash } from "node:crypto";

/** undefined where it is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** SHA-256 of all that something depends on. */
export const keyOf = (parts: unknown): string => createHash("sha256").update(JSON.stringify(parts)).digest("hex");
