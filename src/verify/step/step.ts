// Replays a recorded distillation step: both teacher passes, the student, losses, gradients, optimiser steps, validation.
import type { Runtime } from "../../runtime/runtime.ts";
import { compareKind, type Difference } from "../compare.ts";
import { readStep } from "./recorded.ts";
import { inferencePairs, studentPairs, teacherPairs } from "./states.ts";
import { trainingPairs } from "./training.ts";

/** Relative L2 of values and gradients in float32 against float64. */
const STEP_TOLERANCE = 2e-5;
/** Relative L2 of weights after optimiser steps. */
const WEIGHT_TOLERANCE = 1e-4;

/** All differences of one recorded distillation step. */
export async function verifyStep(folder: string, runtime: Runtime): Promise<Difference[]> {
  const recorded = await readStep(folder);
  const { states, maps } = await studentPairs(runtime, recorded);
  const { losses, gradients, weights } = await trainingPairs(runtime, recorded);
  const inference = await inferencePairs(runtime, recorded);
  return [
    ...compareKind("teacher hidden states", await teacherPairs(runtime, recorded), "l2", STEP_TOLERANCE),
    ...compareKind("student hidden states", [...states, ...inference], "l2", STEP_TOLERANCE),
    ...compareKind("attention maps", maps, "l2", STEP_TOLERANCE),
    ...compareKind("losses", losses, "l2", STEP_TOLERANCE),
    ...compareKind("gradients", gradients, "l2", STEP_TOLERANCE),
    ...compareKind("weights after steps", weights, "l2", WEIGHT_TOLERANCE),
  ];
}
