// The validation loss: the student without dropout over a whole set, and without masks unless an objective is about them.
import { setImmediate } from "node:timers/promises";
import { StillwaveError } from "../errors.ts";
import type { MetricsRow, ValidationRow } from "../log/index.ts";
import type { AgreedStop } from "../processes/stop.ts";
import type { Outcome } from "../training/loop.ts";
import { epochsDone, type TrainingEvent } from "./events.ts";
import { type LabelRules, validationLabels } from "./learner/labels.ts";
import type { Learner } from "./learner/learner.ts";
import { layerLosses, lossesOfSet, type StepLosses } from "./losses.ts";
import type { DistillPlan } from "./plan.ts";
import { type SpeechBatch, wholeOf } from "./shares.ts";
import type { RunSpeech, ValidationSpeech } from "./speech.ts";
import { hasDiverged, type RunState } from "./state.ts";

export interface ValidationParts {
  readonly plan: DistillPlan;
  readonly learner: Learner;
  readonly speech: Pick<RunSpeech, "validation">;
  readonly labels: LabelRules;
  readonly writeRow: (row: MetricsRow) => void;
  readonly stop: AgreedStop;
}

export const isValidationDue = (
  { plan, speech }: Pick<ValidationParts, "plan" | "speech">,
  { step, validatedStep }: RunState,
): boolean =>
  speech.validation !== null &&
  (step % plan.run.validateEverySteps === 0 || step === plan.totalSteps) &&
  validatedStep !== step;

/**
 * Validates where this step asks for it and it has not been done; undefined where not, or where it was interrupted.
 * `seconds`: of work since the run began.
 */
export async function validateIfDue(
  parts: ValidationParts,
  state: RunState,
  seconds: () => number,
): Promise<Outcome<RunState, TrainingEvent> | undefined> {
  const { plan, speech, writeRow } = parts;
  const { step } = state;
  if (!speech.validation || !isValidationDue(parts, state)) return undefined;
  const losses = await validationLosses(parts, speech.validation, step);
  if (!losses) return undefined;
  const loss = losses.total;
  const isLowest = step > 0 && (state.best === null || loss < state.best.loss);
  const row: ValidationRow = {
    kind: "validation",
    step,
    epoch: epochsDone(plan, step),
    seconds: seconds(),
    loss,
    perLayer: layerLosses(losses)?.perLayer.unmasked ?? [],
    terms: plan.objectives === null ? undefined : losses.terms,
    utterances: speech.validation.utterances,
  };
  writeRow(row);
  const validated = {
    ...state,
    validatedStep: step,
    initialValidation: step === 0 ? loss : state.initialValidation,
    lastValidation: { step, loss },
    best: isLowest ? { step, loss } : state.best,
  };
  const diverged = hasDiverged(validated);
  return { state: validated, event: { kind: "validation", step, loss, row, best: isLowest && !diverged, diverged } };
}

/**
 * Means over all frames of the set. undefined where it was interrupted.
 * @throws StillwaveError where no file can be used, or a loss is not finite
 */
async function validationLosses(
  { learner, plan, labels, stop }: ValidationParts,
  speech: ValidationSpeech,
  number: number,
): Promise<StepLosses | undefined> {
  const parts: StepLosses[] = [];
  let index = 0;
  for await (const batch of speech.batches()) {
    await setImmediate();
    if (await stop.check()) return undefined;
    index++;
    if (batch.samples.length === 0) continue;
    const losses = await learner.validate(batch, validationLabels({ learner, plan, labels }, batch, index));
    if (!Number.isFinite(losses.total)) throw notFinite(`validation loss is ${losses.total}`, number, [batch]);
    parts.push(losses);
  }
  if (parts.length === 0) throw new StillwaveError("data.validation: none of its files can be used; repair or drop it");
  return lossesOfSet(learner.objectives, parts);
}

/** The error of a run that has diverged or met a broken file. */
export function notFinite(what: string, step: number, batches: readonly SpeechBatch[]): StillwaveError {
  const paths = batches.flatMap((batch) => wholeOf(batch).paths);
  const shown = paths.slice(0, 32).map((path) => `  ${path}`);
  if (paths.length > 32) shown.push(`  and ${paths.length - 32} more`);
  return new StillwaveError(
    `step ${step}: ${what}; the run stops and its last checkpoint is kept. Look at the files of this batch, lower ` +
      `optimizer.peakLr or set optimizer.clipNorm:\n${shown.join("\n")}`,
  );
}
