// What an evaluation tells while it runs.
import type { FeatureEvent } from "../features/cache.types.ts";
import type { TaskName } from "../tasks/index.ts";
import type { TrainEvent } from "../training/train.ts";
import type { EvaluationResult } from "./result.ts";

export type EvaluationEvent =
  | { readonly kind: "note"; readonly text: string }
  | {
      readonly kind: "start";
      readonly task: TaskName;
      /** Where the corpus is tested in folds: which of how many begins. */
      readonly fold?: { readonly name: string; readonly of: number };
      readonly folder: string;
      readonly upstream: string;
      readonly layers: number;
      readonly dim: number;
      readonly headParameters: number;
      readonly utterances: { readonly train: number; readonly dev: number; readonly test: number };
      readonly learningRates: readonly number[];
      readonly steps: number;
    }
  | Exclude<FeatureEvent, { readonly kind: "note" }>
  | {
      readonly kind: "search";
      readonly task: TaskName;
      readonly folder: string;
      readonly upstream: string;
      readonly layers: number;
      readonly dim: number;
      readonly queries: { readonly dev: number; readonly test: number };
      readonly documents: number;
    }
  | {
      readonly kind: "searching";
      readonly split: "dev" | "test";
      readonly layers: number;
      /** Documents. */
      readonly done: number;
      readonly total: number;
    }
  | { readonly kind: "layer"; readonly name: string; readonly dev: number; readonly among: number }
  | { readonly kind: "training"; readonly learningRate: number; readonly step: number; readonly untilStep: number }
  | TrainEvent
  /** `dev` is the score on the split that `on` names. */
  | {
      readonly kind: "chosen";
      readonly learningRate: number;
      readonly dev: number;
      readonly among: number;
      readonly on: "dev" | "test";
    }
  | { readonly kind: "testing"; readonly done: number; readonly total: number; readonly decoding: string }
  /** The end of a process that helped to extract: `files` of them. */
  | { readonly kind: "helped"; readonly files: number; readonly interrupted: boolean }
  | { readonly kind: "interrupted"; readonly folder: string; readonly remedy: string }
  | {
      readonly kind: "done";
      readonly folder: string;
      readonly already: boolean;
      readonly result: EvaluationResult;
    };
