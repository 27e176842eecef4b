// What is known of a batch's frames beside its speech: spans that are hidden from the student, and units that it shall guess.
import type { Corpus } from "../../data/index.ts";
import { InternalError } from "../../errors.ts";
import { Random } from "../../random.ts";
import { telling } from "../../training/telling.ts";
import type { UnitWork } from "../../units/making/settings.ts";
import type { UnitFile } from "../../units/unit-file.ts";
import type { UnitsEvent } from "../events.ts";
import type { FrameLabels } from "../objectives/frames.ts";
import type { DistillPlan } from "../plan.ts";
import { type SpeechBatch, type WholeBatch, wholeOf } from "../shares.ts";
import type { EpochBatch } from "../speech.ts";
import type { Learner } from "./learner.ts";

/** Which frames of a whole batch are hidden, [items, frames], 1 where masked; none beyond the `valid` frames of an item. */
export type MaskRule = (
  random: Random,
  frames: { readonly frames: number; readonly valid: readonly number[] },
  /** Of so many; the last one for validation. */
  epoch: { readonly epoch: number; readonly epochs: number },
) => Uint8Array;

/** Units of every frame of a whole batch, [items, frames], -1 where there is none: beyond the `valid` frames of an item. */
export type FrameUnits = (batch: WholeBatch, frames: number, valid: readonly number[]) => BigInt64Array;

/** Files of units of a run's sets. */
interface SetUnits {
  readonly train: UnitFile;
  readonly validation: UnitFile | null;
}

/** Units of both sets, told apart by file where both have an utterance of one name. `corpus`: that of training. */
export function frameUnits(corpus: Pick<Corpus, "utterances">, { train, validation }: SetUnits): FrameUnits {
  const trainPaths = new Map(corpus.utterances.map(({ id, path }) => [id, path]));
  return ({ ids, paths, samples, starts }, frames, valid) => {
    const units = new BigInt64Array(samples.length * frames).fill(-1n);
    for (const [item, id] of ids.entries()) {
      const file = validation && trainPaths.get(id) !== paths[item] ? validation : train;
      const part = file.part(id, starts?.[item] ?? 0, valid[item]);
      for (const [t, unit] of part.entries()) units[item * frames + t] = BigInt(unit);
    }
    return units;
  };
}

/** How a run labels its batches. */
export interface LabelRules {
  readonly masks: MaskRule;
  /** Where an objective reads units. */
  readonly units?: FrameUnits;
}

/** Makes the labels of a run, or reads those that are there; undefined: the process that makes them for all was stopped. */
export type MakeLabels = (work: UnitWork) => Promise<LabelRules | undefined>;

/** Labels, and how far their units are while they are made; undefined where `signal` stopped that. */
export const tellingLabels = (
  makeLabels: MakeLabels,
  signal: AbortSignal | undefined,
): AsyncGenerator<UnitsEvent, LabelRules | undefined, undefined> =>
  telling(
    (tell, stop) => makeLabels({ tell: (progress) => tell({ kind: "units", ...progress }), signal: stop }),
    signal,
  );

interface LabelSource {
  readonly learner: Pick<Learner, "objectives" | "framesOf">;
  readonly plan: Pick<DistillPlan, "run" | "epochs">;
  readonly labels: LabelRules;
}

/** Labels of the whole batch, whoever computes what of it, and the frames of each of its items. */
export function trainingLabels(source: LabelSource, { epoch, batch }: EpochBatch, update: number, micro: number) {
  return labelsOf(source, batch, epoch, new Random(source.plan.run.seed, "mask", update, micro));
}

/** Masks of a validation batch are always the same; without an objective that is about them there are none. */
export function validationLabels(source: LabelSource, batch: SpeechBatch, index: number): FrameLabels {
  const { run, epochs } = source.plan;
  if (!source.learner.objectives.some(({ validatesMasked }) => validatesMasked)) return {};
  const { mask, units } = labelsOf(source, batch, epochs, new Random(run.seed, "validation mask", index));
  return { mask, units };
}

function labelsOf({ learner, plan, labels }: LabelSource, batch: SpeechBatch, epoch: number, random: Random) {
  const whole = wholeOf(batch);
  const counts = learner.framesOf({ samples: whole.samples, paddedSamples: batch.paddedSamples });
  const { frames, valid } = counts;
  const mask = labels.masks(random, counts, { epoch, epochs: plan.epochs });
  if (!learner.objectives.some(({ readsUnits }) => readsUnits)) return { mask, valid };
  if (!labels.units) throw new InternalError("an objective reads units, and there are none");
  return { mask, valid, units: labels.units(whole, frames, valid) };
}
