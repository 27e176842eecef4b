// The error for parameters that a file has no tensors for: it names the tensors that come closest.
import { StillwaveError } from "../../errors.ts";
import type { ParameterSpec } from "../../models/parameters.ts";
import type { StoredTensors } from "../formats/tensors.ts";

/** `missing` is not empty. */
export function missingTensor(path: string, missing: readonly ParameterSpec[], tensors: StoredTensors): StillwaveError {
  const { name, shape } = missing[0];
  const more = missing.length > 1 ? ` (and ${missing.length - 1} more)` : "";
  const near = closest(name, [...tensors.keys()]);
  const hint =
    near.length > 0 ? `; closest names: ${near.map((n) => `"${n}" [${tensors.get(n)?.shape}]`).join(", ")}` : "";
  return new StillwaveError(`${path}: tensor "${name}" [${shape}] is missing${more}${hint}`);
}

/** Runs of three letters. */
function runsOf(text: string): Set<string> {
  return new Set(Array.from({ length: Math.max(0, Math.min(text.length, 200) - 2) }, (_, i) => text.slice(i, i + 3)));
}

/** Up to three of `names` with the most runs of letters in common with `name`. */
function closest(name: string, names: readonly string[]): string[] {
  const wanted = runsOf(name);
  const score = (candidate: string) => {
    const own = runsOf(candidate);
    const common = [...own].filter((run) => wanted.has(run)).length;
    return common / (wanted.size + own.size - common || 1);
  };
  const scored = names.slice(0, 5000).map((candidate) => ({ candidate, score: score(candidate) }));
  const near = scored.filter((item) => item.score > 0.2).sort((a, b) => b.score - a.score);
  return near.slice(0, 3).map(({ candidate }) => candidate);
}
