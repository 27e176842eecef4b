// Linear layers and layer norms over rows.
import * as g from "../graph/ops.ts";
import type { Value } from "../graph/value.ts";
import type { ParameterLookup } from "./scope.ts";

/** x [rows, in] -> [rows, out]; `weight` [out, in] and `bias` [out] of the scope. */
export const linear = (p: ParameterLookup, name: string, x: Value): Value =>
  g.gemm(x, p(`${name}.weight`), { transB: true, c: p(`${name}.bias`) });

/** LayerNorm over the last axis. */
export const layerNorm = (p: ParameterLookup, name: string, x: Value, epsilon: number): Value =>
  g.layerNorm(x, p(`${name}.weight`), p(`${name}.bias`), epsilon);
