// The recipe's JSON schema, for completion and checks in editors.
import { z } from "zod";
import { recipeSchema } from "./schema.ts";

/** JSON schema (draft 2020-12) of what a user may write, as the text of recipes/recipe.schema.json. */
export function recipeJsonSchema(): string {
  return `${JSON.stringify(z.toJSONSchema(recipeSchema, { io: "input" }), null, 2)}\n`;
}
