// What a layer is given while a model is traced: its parameters by name, and dropout where the model trains.
import { InternalError } from "../errors.ts";
import type { Shape } from "../graph/dim.ts";
import * as g from "../graph/ops.ts";
import { input, type Value } from "../graph/value.ts";

/** Looks a parameter up by its full name. */
export type ParameterLookup = (name: string) => Value;

/** One place where dropout happens: the graph reads its mask (uint8, 1 keeps) from input `name`. */
export interface DropoutSite {
  readonly name: string;
  readonly shape: Shape;
  readonly rate: number;
}

/** Applies dropout at a named place; the identity in evaluation. */
export type Dropout = (x: Value, place: string, rate: number) => Value;

export const noDropout: Dropout = (x) => x;

/** Dropout whose masks are fed: every place with a rate above 0 adds a graph input and is listed in `sites`. */
export function fedDropout(sites: DropoutSite[]): Dropout {
  return (x, place, rate) => {
    if (rate === 0) return x;
    if (!(rate > 0 && rate < 1)) throw new InternalError(`dropout rate ${rate} at ${place}`);
    const name = `dropout.${place}`;
    sites.push({ name, shape: x.shape, rate });
    return g.dropout(x, input(name, x.shape, "uint8"), rate);
  };
}

/** A lookup whose names start with `prefix`. */
export const within =
  (lookup: ParameterLookup, prefix: string): ParameterLookup =>
  (name) =>
    lookup(`${prefix}.${name}`);
