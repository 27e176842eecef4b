// Which settings of a run may change when it is resumed, and which would make it another run.
import type { Recipe } from "../recipe.ts";

/** Settings that leave the weights as they would have been: where and how fast to compute, what to keep and to log. */
export const CHANGEABLE: readonly string[] = [
  "run.device",
  "run.threads",
  "run.outDir",
  "run.logEverySteps",
  "run.checkpointEverySteps",
  "run.keepEvery",
  "data.workers",
];

/** `optimizer.peakLr: 0.005 -> 0.001` for every setting that differs and may not, in the recipe's order. */
export function forbiddenChanges(before: Recipe, now: Recipe): string[] {
  const old = new Map(leaves(before));
  const current = new Map(leaves(now));
  const names = [...new Set([...old.keys(), ...current.keys()])];
  const text = (value: string | undefined) => value ?? "(not there)";
  return names
    .filter((name) => !CHANGEABLE.includes(name) && old.get(name) !== current.get(name))
    .map((name) => `${name}: ${text(old.get(name))} -> ${text(current.get(name))}`);
}

/** Dotted name and JSON of every value; lists count as one. */
function leaves(value: unknown, name = ""): [string, string][] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [[name, JSON.stringify(value)]];
  return Object.entries(value).flatMap(([key, child]) => leaves(child, name ? `${name}.${key}` : key));
}
