// What `inspect` finds out about a recipe's student, a checkpoint or a published model.
import { existsSync } from "node:fs";
import { extname } from "node:path";
import { loadRecipe } from "../../distill/recipe/read.ts";
import type { Recipe } from "../../distill/recipe/schema.ts";
import { studentConfig } from "../../distill/recipe/student.ts";
import { StillwaveError, UsageError } from "../../errors.ts";
import type { ModelConfig, ReuseSemantics } from "../../models/config.ts";
import { type ModelProfile, profile } from "../../models/profile.ts";
import { publishedArchitecture, publishedIds, REFERENCE_ID } from "../../models/published.ts";
import { suggestion } from "../../recipe/closest.ts";
import { shippedRecipes } from "../../recipe/places.ts";

/** A model to measure against. */
export interface Reference {
  readonly name: string;
  readonly parameters: number;
  readonly macs: number;
  /** The subject's parameters and MACs, heads included, as a share of the reference's. */
  readonly share: { readonly parameters: number; readonly macs: number };
}

export interface Inspection {
  readonly subject: string;
  /** What was inspected: the student of a recipe, a checkpoint's tensors, or a published architecture from our table. */
  readonly kind: "recipe" | "checkpoint" | "published";
  readonly format: string | null;
  readonly architecture: ModelConfig;
  readonly profile: ModelProfile;
  /** Where paper and released code differ; null for models that reuse nothing and have no recipe. */
  readonly semantics: {
    readonly reuse: ReuseSemantics | null;
    readonly countPaddedFrames?: boolean;
    readonly weightDecay?: number;
  };
  /** Tensors in the file, and those of them that the model uses; null where nothing is stored yet. */
  readonly tensors: { readonly stored: number; readonly used: number } | null;
  /** Element types of the stored tensors, null where nothing is stored yet. */
  readonly dtype: string | null;
  /** Tensors in the file that the model does not use. */
  readonly ignored: readonly string[];
  readonly notes: readonly string[];
  readonly reference: Reference | null;
}

type Found = Pick<Inspection, "kind" | "format" | "architecture" | "tensors" | "dtype" | "ignored" | "notes"> & {
  readonly recipe?: Recipe;
};

/** Inspects a recipe (file or shipped name), a checkpoint (folder, file or id on the hub) or a published model's id. */
export async function inspectSubject(
  subject: string,
  options: { readonly seconds?: number; readonly set?: readonly string[] } = {},
): Promise<Inspection> {
  const set = options.set ?? [];
  const isRecipe = await looksLikeRecipe(subject);
  if (set.length && !isRecipe) throw new UsageError(`--set changes recipes, and ${subject} is none`);
  const { recipe, ...found } = isRecipe ? await fromRecipe(subject, set) : await findSubject(subject);
  const measured = profile(found.architecture, { seconds: options.seconds ?? 10 });
  const reuses = found.architecture.attentionFrom.some((source, layer) => source !== layer);
  return {
    subject,
    ...found,
    profile: measured,
    semantics: {
      reuse: reuses ? found.architecture.reuse : null,
      ...(recipe && { countPaddedFrames: recipe.loss.countPaddedFrames, weightDecay: recipe.optimizer.weightDecay }),
    },
    reference: await referenceFor(subject, recipe, measured),
  };
}

async function looksLikeRecipe(subject: string): Promise<boolean> {
  if ([".yaml", ".yml"].includes(extname(subject).toLowerCase())) return true;
  return (await shippedRecipes()).includes(subject);
}

async function fromRecipe(name: string, set: readonly string[]): Promise<Found> {
  const recipe = await loadRecipe(name, set);
  const teacher = await findTeacher(recipe.teacher);
  const architecture = studentConfig(recipe, teacher.architecture);
  return { kind: "recipe", format: null, architecture, tensors: null, dtype: null, ignored: [], notes: [], recipe };
}

async function findTeacher(place: string): Promise<Found> {
  const found = await findModel(place);
  if (found) return found;
  throw new StillwaveError(
    `teacher ${place}: not on this machine, and its architecture is not one we know (${publishedIds().join(", ")}); ` +
      "inspect downloads nothing: give a local checkpoint with --set teacher=PATH",
  );
}

async function findSubject(place: string): Promise<Found> {
  const found = (await findModel(place)) ?? (await findOnHub(place));
  if (found) return found;
  const recipes = (await shippedRecipes()).sort();
  throw new StillwaveError(
    `${place}: no such file or folder${suggestion(place, [...recipes, ...publishedIds()]) || "."} inspect takes a recipe ` +
      `(shipped: ${recipes.join(", ")}), a checkpoint on this machine or the hub, or one of ${publishedIds().join(", ")}`,
  );
}

/** A model of `organisation/name` on the hub, or in its cache; undefined where there is none, or the hub cannot be reached. */
async function findOnHub(place: string): Promise<Found | undefined> {
  const { fetchModel, isHubId, ModelUnavailableError } = await import("../../checkpoint/index.ts");
  if (!place.includes("/") || !isHubId(place)) return undefined;
  try {
    return await findModel((await fetchModel(place)).folder);
  } catch (error) {
    if (error instanceof ModelUnavailableError) return undefined;
    throw error;
  }
}

/** A checkpoint on this machine, or an architecture from the table. Downloads nothing. */
async function findModel(place: string): Promise<Found | undefined> {
  if (existsSync(place)) {
    const { openCheckpoint } = await import("../../checkpoint/index.ts");
    const checkpoint = await openCheckpoint(place);
    try {
      const plan = checkpoint.plan();
      const dtype = [...new Set(plan.used.map((tensor) => tensor.dtype))].join(", ");
      const { config, ignored, notes } = plan;
      const tensors = { stored: checkpoint.tensors.size, used: plan.used.length };
      return { kind: "checkpoint", format: checkpoint.format, architecture: config, tensors, dtype, ignored, notes };
    } finally {
      await checkpoint.close();
    }
  }
  const architecture = publishedArchitecture(place);
  if (architecture)
    return {
      kind: "published",
      format: null,
      architecture,
      tensors: null,
      dtype: null,
      ignored: [],
      notes: [PUBLISHED_NOTE],
    };
  return undefined;
}

const PUBLISHED_NOTE = "architecture as published; nothing was downloaded";

/** A recipe is measured against its teacher, a student against HuBERT Base, a teacher against nothing. */
async function referenceFor(
  subject: string,
  recipe: Recipe | undefined,
  measured: ModelProfile,
): Promise<Reference | null> {
  const isStudent = recipe !== undefined || measured.parameters.heads > 0;
  const name = recipe?.teacher ?? REFERENCE_ID;
  if (!isStudent || name === subject) return null;
  const { parameters, macs } = profile((await findTeacher(name)).architecture, { seconds: measured.seconds });
  return {
    name,
    parameters: parameters.total,
    macs: macs.total,
    share: { parameters: measured.parameters.total / parameters.total, macs: measured.macs.total / macs.total },
  };
}
