// A recipe's JSON schema, for completion and checks in editors.
import { z } from "zod";

/** JSON schema (draft 2020-12) of what a user may write, as the text of a file in recipes/. */
export function recipeJsonSchema(schema: z.ZodType): string {
  return `${JSON.stringify(z.toJSONSchema(schema, { io: "input" }), null, 2)}\n`;
}
