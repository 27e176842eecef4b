// Entry `stillwave/finetune`: fine-tuning as a call, the same runs that `stillwave finetune` makes.
import type { z } from "zod";
import { UsageError } from "../errors.ts";
import type { FinetuneEvent } from "../finetune/events.ts";
import { loadFinetuneRecipe, resolveFinetuneSettings } from "../finetune/recipe/read.ts";
import type { finetuneSchema } from "../finetune/recipe/schema.ts";
import { finetuneRun } from "../finetune/run/run.ts";
import type { LoggerChoice } from "../log/index.ts";

export type { FinetuneEvent, FinetuneSummary } from "../finetune/events.ts";

/** What a recipe file says. */
export type FinetuneFields = z.input<typeof finetuneSchema>;

export interface FinetuneOptions {
  /** Path of a recipe file, name of one that comes with the package, or what a file would say. */
  readonly recipe: string | FinetuneFields;
  /** Folder of the run; default: the recipe's run.outDir. */
  readonly outDir?: string;
  /** Go on where the run was interrupted; an error where there is none. */
  readonly resume?: boolean;
  /** Resume although recipe, data or upstream differ from those the run began with. */
  readonly force?: boolean;
  /** What hears of the run, by name or your own: instead of the recipe's run.loggers. metrics.jsonl is always written. */
  readonly loggers?: readonly LoggerChoice[];
  /** Stops the run after the current micro-batch, with a checkpoint. */
  readonly signal?: AbortSignal;
}

/**
 * Trains a model and a head together for CTC over phones, letters or words, or for classes. Nothing happens before the first
 * event is asked for; its last event, `done`, says where the model is and how it scored.
 * @throws StillwaveError for a mistake in the recipe or its data
 */
export async function* finetune(options: FinetuneOptions): AsyncGenerator<FinetuneEvent, void, undefined> {
  const { recipe, ...rest } = options;
  const refusal = (problems: readonly { readonly path: readonly (string | number)[]; readonly message: string }[]) =>
    new UsageError(problems.map(({ path, message }) => `finetune: ${path.join(".")}: ${message}`).join("\n"));
  const resolved =
    typeof recipe === "string" ? await loadFinetuneRecipe(recipe) : resolveFinetuneSettings(recipe, refusal);
  yield* finetuneRun({ recipe: resolved, ...rest });
}
