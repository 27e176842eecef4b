// What a run tells its caller, one event at a time.

import type { TrainRow, ValidationRow } from "../../log/metrics.types.ts";
import type { StepLosses } from "../step.types.ts";
import type { Scored } from "./state.ts";

/** The run is about to train (or to go on). */
export interface StartEvent {
  readonly kind: "start";
  /** Updates done before: 0, or the checkpoint's step. */
  readonly step: number;
  readonly totalSteps: number;
  readonly batchesPerEpoch: number;
  readonly epochs: number;
  readonly folder: string;
}

/** Something the user should know: a torn checkpoint, a stale lock, bad files left out. */
export interface NoteEvent {
  readonly kind: "note";
  readonly text: string;
}

/** One optimiser update was done. Losses are means over its micro-batches. */
export interface StepEvent {
  readonly kind: "step";
  readonly step: number;
  readonly totalSteps: number;
  /** `masked` and `unmasked`: hint layers and last layer together, unweighted. */
  readonly loss: StepLosses & { readonly masked: number; readonly unmasked: number };
  readonly row: TrainRow;
}

export interface ValidationEvent {
  readonly kind: "validation";
  readonly step: number;
  readonly loss: number;
  readonly row: ValidationRow;
  /** The lowest so far (always false before the first update). */
  readonly best: boolean;
}

export interface CheckpointEvent {
  readonly kind: "checkpoint";
  readonly step: number;
  readonly folder: string;
}

/** The run was asked to stop; a checkpoint of `step` is durable. `remedy` says how to go on. */
export interface InterruptedEvent {
  readonly kind: "interrupted";
  readonly step: number;
  readonly totalSteps: number;
  readonly remedy: string;
}

/** What summary.json of a finished run holds. */
export interface RunSummary {
  readonly step: number;
  readonly seconds: number;
  /** Validation loss before the first update and after the last; null without a validation set. */
  readonly initialValidation: number | null;
  readonly finalValidation: number | null;
  readonly best: Scored | null;
  /** Model folders, relative to the run folder; `best` is null without a validation set. */
  readonly models: { readonly last: string; readonly best: string | null };
  /** SHA-256 over the final weights, parameter by parameter: equal runs have equal hashes. */
  readonly weightsSha256: string;
}

/** Everything is written. `already`: the run had ended before, nothing was done. */
export interface DoneEvent {
  readonly kind: "done";
  readonly step: number;
  readonly folder: string;
  readonly already: boolean;
  readonly summary: RunSummary;
}

export type DistillEvent =
  | StartEvent
  | NoteEvent
  | StepEvent
  | ValidationEvent
  | CheckpointEvent
  | InterruptedEvent
  | DoneEvent;
