// Opens a recipe with everything that it extends: a chain of files, each a path or the name of one that comes with the package.
import { existsSync } from "node:fs";
import { realpath } from "node:fs/promises";
import { dirname, isAbsolute, join } from "node:path";
import { StillwaveError } from "../errors.ts";
import { EXTENDS } from "./merge.ts";
import { findRecipe, type RecipeKind, readRecipe } from "./places.ts";
import { type Override, type RecipeForm, RecipeSource } from "./source.ts";
import { RecipeText } from "./text.ts";

/** What the command line gives in place of what a recipe says: `a.b=value`, and flags, which win over them. */
export interface Overrides {
  readonly set?: readonly string[];
  readonly flags?: readonly Override[];
}

/**
 * Opens a recipe: a path, or the bare name of one that comes with the package.
 * @throws StillwaveError for files that are not there or are no recipes, and for recipes that extend each other in a circle
 */
export async function openRecipe(
  form: RecipeForm,
  kind: RecipeKind,
  nameOrPath: string,
  { set = [], flags }: Overrides = {},
): Promise<RecipeSource> {
  const path = await findRecipe(nameOrPath, kind);
  const first = new RecipeText(await readRecipe(path), path, form.keys);
  const texts: [RecipeText, ...RecipeText[]] = [first];
  const seen = [await realpath(path)];
  for (let text: RecipeText | undefined = first; text; ) {
    text = await baseOf(text, form, kind);
    if (!text) break;
    const place = await realpath(text.name);
    if (seen.includes(place)) throw circle(texts, text.name);
    texts.push(text);
    seen.push(place);
  }
  return new RecipeSource(form, texts, set, flags);
}

/** A recipe of which there is only the text. @throws StillwaveError for one that extends another, which has no place to be looked for */
export function textSource(form: RecipeForm, text: string, name: string, set: readonly string[] = []): RecipeSource {
  const only = new RecipeText(text, name, form.keys);
  if (only.value[EXTENDS] !== undefined)
    throw wrong(only, "read from text alone, a recipe extends no other; load it as a file");
  return new RecipeSource(form, [only], set);
}

const wrong = (text: RecipeText, message: string): StillwaveError =>
  new StillwaveError(`${text.position(text.offsetOf([EXTENDS], false))} ${EXTENDS}: ${message}`);

/** What a text extends. A path begins at the folder of the file that names it. */
async function baseOf(text: RecipeText, form: RecipeForm, kind: RecipeKind): Promise<RecipeText | undefined> {
  const name = text.value[EXTENDS];
  if (name === undefined) return undefined;
  if (typeof name !== "string" || name === "")
    throw wrong(text, "expected the path of a recipe or the name of one that comes with the package");
  const beside = isAbsolute(name) ? name : join(dirname(text.name), name);
  const isBare = /^[\w-]+$/.test(name);
  const path = await findRecipe(isBare && !existsSync(beside) ? name : beside, kind).catch((error: unknown) => {
    throw error instanceof StillwaveError ? wrong(text, error.message) : error;
  });
  return new RecipeText(await readRecipe(path), path, form.keys);
}

function circle(texts: readonly RecipeText[], again: string): StillwaveError {
  const chain = [...texts.map(({ name }) => name), again].join(" extends ");
  return wrong(texts[texts.length - 1], `recipes extend each other in a circle: ${chain}`);
}
