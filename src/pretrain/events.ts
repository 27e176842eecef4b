// What a pre-training tells its caller, one event at a time.
import type { DistillSummary, TrainingEvent } from "../distill/events.ts";
import type { NoteEvent } from "../training/notes.ts";
import type { UnitProgress, UnitSummary } from "../units/making/settings.ts";

/** What summary.json of a finished run holds. */
export interface PretrainSummary {
  readonly iterations: readonly {
    /** Run folder of the iteration, relative to that of the whole. */
    readonly folder: string;
    readonly units: Omit<UnitSummary, "key" | "usage">;
    readonly training: DistillSummary;
  }[];
  /** The finished model, relative to the run folder. */
  readonly model: string;
  readonly weightsSha256: string;
}

/** Which iteration, from 1, something is of. */
export interface OfIteration {
  readonly iteration: number;
}

export type PretrainEnd =
  | ({
      readonly kind: "interrupted";
      /** How to go on. */
      readonly remedy: string;
    } & OfIteration)
  /** Everything is written. `already`: the run had ended before, nothing was done. */
  | { readonly kind: "done"; readonly folder: string; readonly already: boolean; readonly summary: PretrainSummary };

export type PretrainEvent =
  | NoteEvent
  | ({ readonly kind: "iteration"; readonly iterations: number; readonly folder: string } & OfIteration)
  | ({ readonly kind: "units" } & UnitProgress & OfIteration)
  | ({ readonly kind: "units-made"; readonly units: Omit<UnitSummary, "key" | "usage"> } & OfIteration)
  /** Training is about to begin, or to go on from `step`. */
  | ({
      readonly kind: "start";
      readonly step: number;
      readonly totalSteps: number;
      readonly folder: string;
    } & OfIteration)
  | (TrainingEvent & OfIteration)
  | ({ readonly kind: "trained"; readonly summary: DistillSummary } & OfIteration)
  | PretrainEnd;
