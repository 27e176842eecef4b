// Losses, gradients and weights of a recorded step: validation, and three optimiser steps on the same batch and mask.
import { layerLosses, type StepLosses } from "../../distill/losses.ts";
import type { LayersOptions } from "../../distill/objectives/layers.ts";
import { createDistillStep, type DistillStep } from "../../distill/step.ts";
import { InternalError } from "../../errors.ts";
import type { HostArray, Parameters } from "../../graph/array.ts";
import { adamwUpdate, createAdamWState, decayRanges } from "../../optim/adamw.ts";
import { warmupLinear } from "../../optim/schedule.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import type { Pair } from "../compare.ts";
import { pairsOf, parameterPairs, type RecordedStep } from "./recorded.ts";

/** The released code's decay, whatever its configuration says. */
const OFFICIAL_WEIGHT_DECAY = 0.01;

function lossesNamed(losses: StepLosses, { hintWeight, lastWeight }: LayersOptions): Record<string, HostArray> {
  const layers = layerLosses(losses);
  if (!layers) throw new InternalError("a recorded step without losses of layers");
  const { hintMasked, hintUnmasked, lastMasked, lastUnmasked } = layers;
  const values = {
    total: losses.total,
    mask_hint_loss: hintMasked,
    unmask_hint_loss: hintUnmasked,
    mask_rec_loss: lastMasked,
    unmask_rec_loss: lastUnmasked,
    hint_loss: hintWeight * (hintMasked + hintUnmasked),
    rec_loss: lastWeight * (lastMasked + lastUnmasked),
  };
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, scalarArray(value)]));
}

const scalarArray = (value: number): HostArray => ({ shape: [1], data: Float32Array.of(value) });

/** The flat gradient as one array a parameter. */
function gradientViews({ parameters, gradients }: DistillStep): Parameters {
  let offset = 0;
  return new Map(
    [...parameters].map(([name, { shape, data }]) => {
      const view = gradients.subarray(offset, offset + data.length);
      offset += data.length;
      return [name, { shape, data: view }];
    }),
  );
}

export async function trainingPairs(runtime: Runtime, recorded: RecordedStep) {
  const { config, teacher, student, batch, mask, loss, training } = recorded;
  const step = await createDistillStep({ runtime, teachers: [teacher], student, ...training });
  const validation = await step.validate(batch);
  const losses = pairsOf(recorded, "val.", { loss: scalarArray(validation.total) });
  const { lr, betas, eps, warmup_proportion: warmupFraction, total_steps: totalSteps } = config.optimizer;
  const state = createAdamWState(step.weights.length);
  const options = { betas, eps, decay: decayRanges(step.parameters, OFFICIAL_WEIGHT_DECAY) };
  const gradients: Pair[] = [];
  const weights: Pair[] = [];
  for (let update = 1; update <= 3; update++) {
    step.zeroGradients();
    const now = await step.accumulate({ batch, mask, dropoutSeed: 0 }, 1);
    if (update === 1) {
      losses.push(...pairsOf(recorded, "loss.", lossesNamed(now, loss)));
      gradients.push(...parameterPairs(recorded, "grad.", gradientViews(step)));
    }
    const rate = lr * warmupLinear(update, { totalSteps, warmupFraction });
    adamwUpdate(step.weights, step.gradients, state, rate, options);
    weights.push(...parameterPairs(recorded, `after${update}.`, step.parameters));
  }
  await step.dispose();
  return { losses, gradients, weights };
}
