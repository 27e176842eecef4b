// What model a Hugging Face or Stillwave folder holds, from its JSON and tensors alone. Pure: the browser reads models with it too.
import { StillwaveError } from "../../errors.ts";
import type { LoadOptions, ModelPlan } from "../checkpoint.types.ts";
import type { StoredTensors } from "../formats/tensors.ts";
import { type Fields, isFields } from "./config/fields.ts";
import { configFromHuggingFace } from "./config/huggingface.ts";
import { parseModelConfig } from "./config/stillwave.ts";
import { canonicalFromHuggingFace } from "./names.ts";
import { planModel } from "./plan.ts";
import { modelRoot, withoutWrappers } from "./wrappers.ts";

export interface FolderContent {
  /** The folder or weights file, and its config.json, for errors. */
  readonly path: string;
  readonly where: string;
  /** config.json. */
  readonly fields: Fields;
  /** preprocessor_config.json, where there is one. */
  readonly preprocessor: Fields | undefined;
  readonly tensors: StoredTensors;
  /** Size of the weights files. */
  readonly bytes: number;
}

/** Matches the tensors with the model that config.json describes. */
export function planFolder(content: FolderContent, options: LoadOptions = {}): ModelPlan {
  const { path, where, fields } = content;
  const stillwave = isFields(fields.stillwave) ? fields.stillwave : undefined;
  const base = stillwave ? parseModelConfig(stillwave.model, where) : configFromHuggingFace(fields, where);
  const held = base.family === "student" ? "student" : "teacher";
  const tensors = withoutWrappers(content.tensors, path);
  const root = modelRoot(tensors, path, options.part);
  if (root.part === undefined && options.part && options.part !== held)
    throw new StillwaveError(`${path}: holds a ${held} model; there is no ${options.part} in it`);
  const config = options.reuse ? { ...base, reuse: options.reuse } : base;
  return planModel({
    path,
    fileBytes: content.bytes,
    config,
    tensors,
    prefix: root.prefix,
    canonical: (name) => canonicalName(name, !config.featureProjection),
    unknown: "error",
    notes: normalizationNotes(config.normalizeWaveform, content.preprocessor),
    part: root.part,
  });
}

/** Without a feature projection of its own, a model folder holds an identity one for Hugging Face's sake. */
function canonicalName(name: string, skipProjection: boolean): string | undefined {
  const canonical = canonicalFromHuggingFace(name);
  return skipProjection && canonical?.startsWith("feature_projection.projection.") ? undefined : canonical;
}

/**
 * Base models were trained on the waveform as it is, though some of their preprocessor files say do_normalize; large ones
 * on normalised waveforms. The training decides.
 */
function normalizationNotes(normalizes: boolean, preprocessor: Fields | undefined): string[] {
  if (typeof preprocessor?.do_normalize !== "boolean" || preprocessor.do_normalize === normalizes) return [];
  return [
    `preprocessor_config.json says do_normalize ${preprocessor.do_normalize}, but models of this type were trained ` +
      `${normalizes ? "on normalised waveforms: normalising" : "without normalisation: not normalising"}`,
  ];
}
