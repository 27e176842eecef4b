// Objectives by their kind.
import { classObjective } from "./classes.ts";
import { ctcObjective, type GreedyRule } from "./ctc.ts";
import type { Objective } from "./objective.types.ts";
import type { ObjectiveSpec } from "./spec.ts";

/** @param rule how the greedy reading of a CTC head merges repeats */
export const createObjective = (spec: ObjectiveSpec, rule?: GreedyRule): Objective =>
  spec.kind === "ctc" ? ctcObjective(spec, rule) : classObjective(spec);
