// What a recipe's schema has at a path: its keys for overrides, suggestions and messages, and the field itself.
import type { z } from "zod";

/** Valid keys under `path` ([] for the top level); empty where `path` is no mapping. Numbers step into lists. */
export function childKeys(schema: z.core.$ZodType, path: readonly (string | number)[]): string[] {
  return [
    ...new Set(
      fieldsAt(schema, path)
        .flatMap(objects)
        .flatMap((object) => Object.keys(object._zod.def.shape)),
    ),
  ];
}

/** The fields at `path`: more than one where mappings of a union have it. */
export function fieldsAt(schema: z.core.$ZodType, path: readonly (string | number)[]): z.core.$ZodType[] {
  return path.reduce<z.core.$ZodType[]>((schemas, key) => schemas.flatMap((one) => step(one, key)), [schema]);
}

/** What a field holds where it is not left out or null. */
export function bareField(schema: z.core.$ZodType): z.core.$ZodTypes {
  const typed = schema as z.core.$ZodTypes;
  const { def } = typed._zod;
  return "innerType" in def ? bareField(def.innerType) : typed;
}

function step(schema: z.core.$ZodType, key: string | number): z.core.$ZodType[] {
  const { def } = bareField(schema)._zod;
  if (typeof key === "number" && def.type === "array") return [def.element];
  return objects(schema).flatMap((object) => {
    const { shape } = object._zod.def;
    return Object.hasOwn(shape, key) ? [shape[key]] : [];
  });
}

/** The mappings that a schema accepts, defaults and unions looked through. */
function objects(schema: z.core.$ZodType): z.core.$ZodObject[] {
  const bare = bareField(schema);
  const { def } = bare._zod;
  if (def.type === "union") return def.options.flatMap(objects);
  return def.type === "object" ? [bare as z.core.$ZodObject] : [];
}
