// Compares what was written with what was meant: a file that does not give back what was written must not be trusted.
import { InternalError, StillwaveError } from "../../errors.ts";
import type { Parameters } from "../../graph/array.ts";
import type { ModelConfig } from "../../models/config.ts";
import type { LoadOptions } from "../checkpoint.types.ts";
import { roundToHalf } from "../formats/dtypes.ts";
import { openCheckpoint } from "../load.ts";

export interface WrittenModel {
  readonly config: ModelConfig;
  readonly parameters: Parameters;
  /** How weights are stored; float32 unless given. */
  readonly dtype?: "float32" | "float16";
}

/**
 * Reads the model at `path` back and compares it with `written`, number by number. One tensor is held at a time, so
 * that a model never lies in memory twice.
 * @throws InternalError where the configuration changed, StillwaveError where the numbers did
 */
export async function compareWithWritten(path: string, written: WrittenModel, options: LoadOptions = {}) {
  const checkpoint = await openCheckpoint(path, options);
  try {
    const plan = checkpoint.plan();
    const different = differentField(written.config, plan.config);
    if (different) throw new InternalError(`${path}: ${different} changed when it was written`);
    for (const [name, { data }] of written.parameters) {
      const read = plan.sources.get(name);
      if (!read) throw new InternalError(`${path}: "${name}" was not written`);
      const stored = await read();
      const expected = written.dtype === "float16" ? roundToHalf(data) : data;
      const at = firstDifference(stored, expected);
      if (at >= 0)
        throw new StillwaveError(
          `${path}: "${name}" was not stored faithfully (element ${at}: ${expected[at]} became ${stored[at]}); check the disk`,
        );
    }
  } finally {
    await checkpoint.close();
  }
}

/** Index of the first element in which two arrays differ, -1 where there is none. */
function firstDifference(a: Float32Array, b: Float32Array): number {
  const length = Math.max(a.length, b.length);
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return i;
  return -1;
}

/** The first field in which two configurations differ. */
export function differentField(a: ModelConfig, b: ModelConfig): string | undefined {
  const canonical = (value: unknown): string =>
    JSON.stringify(value, (_, item) =>
      typeof item === "object" && item !== null && !Array.isArray(item)
        ? Object.fromEntries(Object.entries(item).sort(([x], [y]) => (x < y ? -1 : 1)))
        : item,
    );
  const fields = new Set([...Object.keys(a), ...Object.keys(b)]) as Set<keyof ModelConfig>;
  return [...fields].find((key) => canonical(a[key]) !== canonical(b[key]));
}
