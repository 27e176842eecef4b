// Learning with weights and optimiser on the host: any runtime computes the gradients.
import { type AdamWOptions, adamwUpdate, checkAdamWOptions, createAdamWState, decayRanges } from "../../optim/adamw.ts";
import { clipGradients, gradientNorm } from "../../optim/clip.ts";
import type { StepLosses } from "../losses.ts";
import type { Recipe } from "../recipe/schema.ts";
import type { DistillStep } from "../step.ts";
import { isSound, type Learner } from "./learner.ts";

/** @throws UsageError that names the optimiser's first setting out of range */
export function createHostLearner(
  step: DistillStep,
  { betas, eps, weightDecay, clipNorm }: Pick<Recipe["optimizer"], "betas" | "eps" | "weightDecay" | "clipNorm">,
): Learner {
  const adamw: AdamWOptions = { betas, eps, decay: decayRanges(step.parameters, weightDecay) };
  checkAdamWOptions(adamw);
  const state = { parameters: step.parameters, optimizer: createAdamWState(step.weights.length) };
  let losses: StepLosses[] = [];
  return {
    objectives: step.objectives,
    state,
    depth: 1,
    framesOf: step.framesOf,
    async accumulate(micro, share) {
      if (losses.length === 0) step.zeroGradients();
      losses.push(await step.accumulate(micro, share));
    },
    async apply({ learningRate, scale }) {
      const { weights, gradients } = step;
      if (scale !== 1) for (let i = 0; i < gradients.length; i++) gradients[i] = gradients[i] * scale;
      const numbers = { losses, gradientNorm: gradientNorm(gradients) };
      losses = [];
      if (isSound(numbers)) {
        if (clipNorm !== null) clipGradients(gradients, numbers.gradientNorm, clipNorm);
        adamwUpdate(weights, gradients, state.optimizer, learningRate, adamw);
      }
      return { numbers: Promise.resolve(numbers) };
    },
    validate: (batch, labels) => step.validate(batch, labels),
    snapshot: async () => state,
    restored: async () => {},
    dispose: () => step.dispose(),
  };
}
