// Objectives by their kind.
import { classObjective } from "./classes.ts";
import { ctcObjective } from "./ctc.ts";
import type { Objective } from "./objective.types.ts";
import type { ObjectiveSpec } from "./spec.ts";
import { turnObjective } from "./turns.ts";
import { voiceObjective } from "./voices.ts";

export function createObjective(spec: ObjectiveSpec): Objective {
  if (spec.kind === "ctc") return ctcObjective(spec);
  if (spec.kind === "classes") return classObjective(spec);
  return spec.kind === "voices" ? voiceObjective(spec) : turnObjective(spec);
}
