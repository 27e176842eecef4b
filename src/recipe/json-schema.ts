// A recipe's JSON schema, for completion and checks in editors.
import { z } from "zod";
import { EXTENDS } from "./merge.ts";

interface JsonSchema {
  readonly [keyword: string]: unknown;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly anyOf?: readonly JsonSchema[];
}

/** JSON schema (draft 2020-12) of what a user may write, as the text of a file in recipes/. A recipe that extends another may leave out what that one says. */
export function recipeJsonSchema(schema: z.ZodType): string {
  const { $schema, ...whole } = z.toJSONSchema(schema, { io: "input" }) as JsonSchema;
  const { properties, ...rest } = withoutRequired(whole);
  const extending = {
    description:
      "Recipe that this one extends: a path from this file's folder, or the name of one that comes with the package",
    type: "string",
    minLength: 1,
  };
  const text = {
    $schema,
    ...rest,
    properties: { [EXTENDS]: extending, ...properties },
    if: { required: [EXTENDS] },
    else: onlyRequired(whole) ?? {},
  };
  return `${JSON.stringify(text, null, 2)}\n`;
}

/** The schema with mappings of which every key may be missing; lists are replaced as a whole, so that theirs stay as they are. */
function withoutRequired({ required: _, properties, anyOf, ...rest }: JsonSchema): JsonSchema {
  return {
    ...rest,
    ...(properties && { properties: mapValues(properties, withoutRequired) }),
    ...(anyOf && { anyOf: anyOf.map(withoutRequired) }),
  };
}

/** What `withoutRequired` took away; undefined where that is nothing. */
function onlyRequired({ type, required, properties = {}, anyOf }: JsonSchema): JsonSchema | undefined {
  const inside = Object.entries(properties).flatMap(([key, one]) => {
    const needed = onlyRequired(one);
    return needed ? [[key, needed] as const] : [];
  });
  const options = anyOf?.map((one) => ({ ...(one.type !== undefined && { type: one.type }), ...onlyRequired(one) }));
  const needsOption = anyOf?.some((one) => onlyRequired(one) !== undefined);
  if (!required && inside.length === 0 && !needsOption) return undefined;
  return {
    ...(type !== undefined && { type }),
    ...(required && { required }),
    ...(inside.length > 0 && { properties: Object.fromEntries(inside) }),
    ...(needsOption && { anyOf: options }),
  };
}

const mapValues = (record: Readonly<Record<string, JsonSchema>>, map: (one: JsonSchema) => JsonSchema) =>
  Object.fromEntries(Object.entries(record).map(([key, one]) => [key, map(one)]));
