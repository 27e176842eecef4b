// Directions of vectors over the last axis, and how alike they are.
import * as g from "../../graph/ops.ts";
import type { Value } from "../../graph/value.ts";

/** Added to squares of norms, so that a vector of zeros has a direction. */
const LEAST_SQUARE = 1e-12;

const squares = (x: Value): Value => g.add(g.sum(g.mul(x, x), [-1], true), LEAST_SQUARE);

/** x / |x|. */
export const unitLength = (x: Value): Value => g.div(x, g.sqrt(squares(x)));

/** Cosines of rows, [..., 1]. */
export const cosine = (a: Value, b: Value): Value =>
  g.div(g.sum(g.mul(a, b), [-1], true), g.sqrt(g.mul(squares(a), squares(b))));
