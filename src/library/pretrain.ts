// Entry `stillwave/pretrain`: pre-training as a call, the same runs that `stillwave pretrain` makes.
import type { z } from "zod";
import { UsageError } from "../errors.ts";
import type { LoggerChoice } from "../log/index.ts";
import type { PretrainEvent } from "../pretrain/events.ts";
import { loadPretrainRecipe, resolvePretrainSettings } from "../pretrain/recipe/read.ts";
import type { pretrainSchema } from "../pretrain/recipe/schema.ts";
import { pretrainRun } from "../pretrain/run.ts";

export type { PretrainEvent, PretrainSummary } from "../pretrain/events.ts";

/** What a recipe file says. */
export type PretrainFields = z.input<typeof pretrainSchema>;

export interface PretrainOptions {
  /** Path of a recipe file, name of one that comes with the package, or what a file would say. */
  readonly recipe: string | PretrainFields;
  /** Folder of the run; default: the recipe's run.outDir. */
  readonly outDir?: string;
  /** Go on where the run was interrupted; an error where there is none. */
  readonly resume?: boolean;
  /** Resume although recipe or data differ from those the run began with. */
  readonly force?: boolean;
  /** What hears of the run, by name or your own: instead of the recipe's run.loggers. metrics.jsonl is always written. */
  readonly loggers?: readonly LoggerChoice[];
  /** Stops the run, after the current micro-batch where it trains. */
  readonly signal?: AbortSignal;
}

/**
 * Pre-trains a HuBERT or WavLM (arXiv:2106.07447, arXiv:2110.13900). Nothing happens before the first event is asked for; its
 * last event, `done`, says where the model is.
 * @throws StillwaveError for a mistake in the recipe or its data
 */
export async function* pretrain(options: PretrainOptions): AsyncGenerator<PretrainEvent, void, undefined> {
  const { recipe, ...rest } = options;
  const refusal = (problems: readonly { readonly path: readonly (string | number)[]; readonly message: string }[]) =>
    new UsageError(problems.map(({ path, message }) => `pretrain: ${path.join(".")}: ${message}`).join("\n"));
  const resolved =
    typeof recipe === "string" ? await loadPretrainRecipe(recipe) : resolvePretrainSettings(recipe, refusal);
  yield* pretrainRun({ recipe: resolved, ...rest });
}
