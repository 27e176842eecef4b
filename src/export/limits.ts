// How far an exported file may be from its source before it is refused.
import { StillwaveError } from "../errors.ts";
import type { Drift, ExportDtype, ExportOptions, ExportResult } from "./export.types.ts";

export const LIMITS: Record<ExportDtype, Pick<ExportResult, "limit" | "measure">> = {
  fp32: { limit: 1e-4, measure: "maxRelative" },
  fp16: { limit: 1e-2, measure: "maxRelative" },
  int8: { limit: 0.1, measure: "relativeL2" },
};

/**
 * Whether every output is within the limit.
 * @throws StillwaveError where one is not, unless `force`
 */
export function checkDrift(
  drift: readonly Drift[],
  { out, dtype = "fp32", force }: Pick<ExportOptions, "out" | "dtype" | "force">,
): boolean {
  const { limit, measure } = LIMITS[dtype];
  const worst = drift.reduce((most, one) => (one[measure] > most[measure] ? one : most));
  if (worst[measure] <= limit) return true;
  if (force) return false;
  throw new StillwaveError(
    `${out}: ${worst.output} differs from the source model by ${worst[measure].toExponential(2)} ` +
      `(${measure === "maxRelative" ? "of the largest value" : "of the norm"}), more than ${limit} allowed for ${dtype}; ` +
      "nothing was written. Choose a wider dtype, or keep the file with --force",
  );
}
