// The pattern of reuse that is asked for.
import { UsageError } from "../errors.ts";
import type { MapsResult, ReuseChoice } from "./measure.ts";

/** Of `computing` layers that compute their maps; default half of them. @throws UsageError where there are not so many */
export function chosenReuse({ reuse, layers }: MapsResult, computing = Math.ceil(layers / 2)): ReuseChoice {
  const found = reuse.find((choice) => choice.computing === computing);
  if (!found) throw new UsageError(`--computing ${computing}: the model has ${layers} layers`);
  return found;
}
