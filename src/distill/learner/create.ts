// A learner on the runtime that is there: on the devices of XLA, or on the host with any other runtime.
import { StillwaveError } from "../../errors.ts";
import type { ModelWeights } from "../../models/parameters.ts";
import type { ProcessGroup } from "../../processes/group.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import { isXla } from "../../runtime/xla/index.ts";
import type { Precision } from "../../stablehlo/precision.ts";
import type { Recipe } from "../recipe/schema.ts";
import { createDistillStep, type StudentOptions } from "../step.ts";
import { DeviceLearner } from "./device.ts";
import { createHostLearner } from "./host.ts";
import type { Learner } from "./learner.ts";

export interface LearnerModels {
  readonly runtime: Runtime;
  /** As objectives number them; there may be none. */
  readonly teachers: readonly ModelWeights[];
  /** Its weights are those that learning begins with. */
  readonly student: ModelWeights;
  readonly precision: Precision;
}

export interface LearnerSettings extends LearnerModels, StudentOptions {
  readonly optimizer: Pick<Recipe["optimizer"], "betas" | "eps" | "weightDecay" | "clipNorm" | "accumulate">;
  /** Of the objectives' own initial weights. */
  readonly seed: number;
}

/** @throws StillwaveError where several processes shall learn together on a device that cannot */
export function createLearner(settings: LearnerSettings, group?: ProcessGroup): Learner {
  const { runtime, optimizer } = settings;
  if (group && !isXla(runtime))
    throw new StillwaveError(
      `run.device: ${group.size} processes were started, and ${runtime.device} computes in one; name an XLA device (--device xla:cpu)`,
    );
  if (!isXla(runtime)) return createHostLearner(createDistillStep(settings), optimizer);
  const { devices, everywhere } = runtime.client;
  const replicas = everywhere.length;
  // where programs add up over all processes, hosts need not
  const onHosts = replicas === devices.length ? group : undefined;
  return new DeviceLearner(runtime.client, {
    ...settings,
    accumulate: optimizer.accumulate,
    replicas,
    group: onHosts,
  });
}
