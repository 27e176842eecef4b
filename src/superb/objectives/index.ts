// Objectives by their kind.
import { classObjective } from "./classes.ts";
import { ctcObjective } from "./ctc.ts";
import type { Objective } from "./objective.types.ts";
import type { ObjectiveSpec } from "./spec.ts";

export const createObjective = (spec: ObjectiveSpec): Objective =>
  spec.kind === "ctc" ? ctcObjective(spec) : classObjective(spec);
