// Which keys a recipe's schema has at a path: for overrides, for suggestions, and for messages that list what is valid.
import type { z } from "zod";

/** Valid keys under `path` ([] for the top level); empty where `path` is no mapping. Numbers step into lists. */
export function childKeys(schema: z.core.$ZodType, path: readonly (string | number)[]): string[] {
  let schemas = [schema];
  for (const key of path) schemas = schemas.flatMap((schema) => step(schema, key));
  return [...new Set(schemas.flatMap(objects).flatMap((schema) => Object.keys(schema._zod.def.shape)))];
}

function step(schema: z.core.$ZodType, key: string | number): z.core.$ZodType[] {
  return objects(schema).flatMap((object) => {
    const { shape } = object._zod.def;
    return Object.hasOwn(shape, key) ? [shape[key]] : [];
  });
}

/** The mappings that a schema accepts, defaults and unions looked through. */
function objects(schema: z.core.$ZodType): z.core.$ZodObject[] {
  const { def } = (schema as z.core.$ZodTypes)._zod;
  switch (def.type) {
    case "object":
      return [schema as z.core.$ZodObject];
    case "union":
      return def.options.flatMap(objects);
    case "default":
    case "prefault":
    case "optional":
    case "nullable":
      return objects(def.innerType);
    default:
      return [];
  }
}
