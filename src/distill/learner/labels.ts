// What is known of a batch's frames beside its speech: spans that are hidden from the student, and units that it shall guess.
import { InternalError } from "../../errors.ts";
import { Random } from "../../random.ts";
import { maskProbAt, spanMasks } from "../masks.ts";
import type { FrameLabels } from "../objectives/frames.ts";
import type { DistillPlan } from "../plan.ts";
import { type SpeechBatch, type WholeBatch, wholeOf } from "../shares.ts";
import type { EpochBatch } from "../speech.ts";
import type { Learner } from "./learner.ts";

/** Units of every frame of a whole batch, [items, frames], -1 where there is none. */
export type FrameUnits = (batch: WholeBatch, frames: number) => BigInt64Array;

interface LabelSource {
  readonly learner: Pick<Learner, "objectives" | "framesOf">;
  readonly plan: Pick<DistillPlan, "masking" | "run" | "epochs">;
  readonly units?: FrameUnits;
}

/** Labels of the whole batch, whoever computes what of it, and the frames of each of its items. */
export function trainingLabels(source: LabelSource, { epoch, batch }: EpochBatch, update: number, micro: number) {
  const { masking, run, epochs } = source.plan;
  const prob = maskProbAt(epoch, epochs, masking.probability);
  return labelsOf(source, batch, prob, new Random(run.seed, "mask", update, micro));
}

/** Masks of a validation batch are always the same; without an objective that is about them there are none. */
export function validationLabels(source: LabelSource, batch: SpeechBatch, index: number): FrameLabels {
  const { masking, run, epochs } = source.plan;
  if (!source.learner.objectives.some(({ validatesMasked }) => validatesMasked)) return {};
  const prob = maskProbAt(epochs, epochs, masking.probability);
  const { mask, units } = labelsOf(source, batch, prob, new Random(run.seed, "validation mask", index));
  return { mask, units };
}

function labelsOf({ learner, plan, units }: LabelSource, batch: SpeechBatch, prob: number, random: Random) {
  const whole = wholeOf(batch);
  const { frames, valid } = learner.framesOf({ samples: whole.samples, paddedSamples: batch.paddedSamples });
  const mask = spanMasks(random, frames, valid, { ...plan.masking, prob });
  if (!learner.objectives.some(({ readsUnits }) => readsUnits)) return { mask, valid };
  if (!units) throw new InternalError("an objective reads units, and there are none");
  return { mask, valid, units: units(whole, frames) };
}
