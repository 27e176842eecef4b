// Objectives by their kind.
import { classObjective } from "./classes.ts";
import { ctcObjective, type GreedyRule } from "./ctc.ts";
import type { Objective } from "./objective.types.ts";
import type { ObjectiveSpec } from "./spec.ts";
import { turnObjective } from "./turns.ts";
import { voiceObjective } from "./voices.ts";

/** @param rule how the greedy reading of a CTC head merges repeats */
export function createObjective(spec: ObjectiveSpec, rule?: GreedyRule): Objective {
  if (spec.kind === "ctc") return ctcObjective(spec, rule);
  if (spec.kind === "classes") return classObjective(spec);
  return spec.kind === "voices" ? voiceObjective(spec) : turnObjective(spec);
}
