// What a fine-tuning tells its caller, one event at a time.
import type { TrainRow, ValidationRow } from "../log/index.ts";
import type { EvaluationResult } from "../superb/run/result.ts";
import type { NoteEvent } from "../training/notes.ts";

/** What summary.json of a finished run holds. */
export interface FinetuneSummary {
  readonly step: number;
  readonly seconds: number;
  /** The update whose model was tested, and its score on dev in percent. */
  readonly best: { readonly step: number; readonly dev: number };
  /** On test, as result.json has it. */
  readonly test: Pick<EvaluationResult["metric"], "name" | "value" | "low" | "high" | "confidence">;
  /** Updates left out because their gradient was not finite. */
  readonly skippedUpdates: number;
  /** Folders with `upstream` and `head`, relative to the run folder. */
  readonly models: { readonly last: string; readonly best: string };
  /** SHA-256 over the final weights, parameter by parameter: equal runs have equal hashes. */
  readonly weightsSha256: string;
}

export type FinetuneTrainingEvent =
  | { readonly kind: "step"; readonly step: number; readonly totalSteps: number; readonly row: TrainRow }
  | {
      readonly kind: "evaluation";
      readonly step: number;
      /** `PER`, `accuracy`. */
      readonly metric: string;
      /** Of dev, in percent. */
      readonly dev: number;
      readonly loss: number | null;
      readonly row: ValidationRow;
      /** The best so far. */
      readonly best: boolean;
    }
  | { readonly kind: "checkpoint"; readonly step: number; readonly folder: string };

export type FinetuneEnd =
  /** It was asked to stop; what is done is durable. `remedy` says how to go on. */
  | { readonly kind: "interrupted"; readonly step: number; readonly totalSteps: number; readonly remedy: string }
  /** Everything is written. `already`: the run had ended before, nothing was done. */
  | {
      readonly kind: "done";
      readonly folder: string;
      readonly already: boolean;
      readonly summary: FinetuneSummary;
      readonly result: EvaluationResult;
    };

export type FinetuneEvent =
  | NoteEvent
  | {
      readonly kind: "start";
      readonly step: number;
      readonly totalSteps: number;
      readonly batchesPerEpoch: number;
      readonly folder: string;
      readonly utterances: { readonly train: number; readonly dev: number; readonly test: number };
      readonly parameters: { readonly upstream: number; readonly head: number };
    }
  | FinetuneTrainingEvent
  | { readonly kind: "testing"; readonly done: number; readonly total: number }
  | FinetuneEnd;
