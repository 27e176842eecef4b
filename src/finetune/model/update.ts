// One AdamW update of a joint model: each part at its own rate, from when it learns on.

import { sizeOf } from "../../graph/array.ts";
import { type AdamWState, adamwUpdate, type DecayRange, decayOf } from "../../optim/adamw.ts";
import type { FinetuneRecipe } from "../recipe/schema.ts";
import { jointSpecs, PARTS, type Part } from "./parameters.ts";
import type { JointStep } from "./step.ts";

export type OptimizerSettings = FinetuneRecipe["optimizer"];

/** The parts that update `step`, from 1, moves. */
export function learningParts({ learningRates, frozenSteps }: OptimizerSettings, step: number): Set<Part> {
  const isLearning = (part: Part) => learningRates[part] !== null && (part === "head" || step > frozenSteps);
  return new Set(PARTS.filter(isLearning));
}

/** A stretch of the buffer that one rate and one decay move. */
interface Range extends DecayRange {
  readonly part: Part;
}

/** What of the buffer can learn; neighbours of one part and decay are one stretch. */
function rangesOf(step: JointStep, weightDecay: number): Range[] {
  const ranges: Range[] = [];
  let at = 0;
  for (const { name, shape, part } of jointSpecs(step.model)) {
    const end = at + sizeOf(shape);
    const decay = decayOf(name, weightDecay);
    const last = ranges.at(-1);
    if (step.learnt.has(name)) {
      if (last && last.end === at && last.part === part && last.weightDecay === decay)
        ranges[ranges.length - 1] = { ...last, end };
      else ranges.push({ start: at, end, part, weightDecay: decay });
    }
    at = end;
  }
  return ranges;
}

/**
 * AdamW as distillation's, on the step's weights in place. `factor` is the schedule's, on every rate. A part that began to learn
 * later counts its updates from there, as its moments do.
 */
export function jointUpdate(step: JointStep, settings: OptimizerSettings) {
  const { betas, eps, weightDecay, learningRates, frozenSteps } = settings;
  const ranges = rangesOf(step, weightDecay);
  return (state: AdamWState, factor: number): void => {
    const number = state.t + 1;
    const learning = learningParts(settings, number);
    for (const { start, end, part, weightDecay: decay } of ranges) {
      const rate = learningRates[part];
      if (!learning.has(part) || rate === null) continue;
      const of = (array: Float32Array) => array.subarray(start, end);
      const own = { m: of(state.m), v: of(state.v), t: part === "head" ? number - 1 : number - 1 - frozenSteps };
      const whole = [{ start: 0, end: end - start, weightDecay: decay }];
      adamwUpdate(of(step.weights), of(step.gradients), own, factor * rate, { betas, eps, decay: whole });
    }
    state.t = number;
  };
}
