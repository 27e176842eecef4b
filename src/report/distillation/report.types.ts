// What a run report is made of. Whoever has a run folder fills this in; the report only draws it.

import type { MetricsRow } from "../../log/metrics.types.ts";
import type { ModelProfile } from "../../models/profile.ts";

export interface ReportModel {
  /** As the user knows it: "facebook/hubert-base-ls960", "ARMHuBERT-S". */
  readonly name: string;
  readonly profile: ModelProfile;
}

/** Attention of one encoder layer on one utterance. */
export interface AttentionLayer {
  readonly layer: number;
  readonly heads: number;
  readonly frames: number;
  /** Softmax output [heads, query, key], row-major; each row sums to 1. */
  readonly map: Float32Array;
  /** Only where the layer computes no map: the layer whose map it uses. */
  readonly takesMapOf?: number;
}

/** Teacher and student on the same utterance, unmasked. */
export interface AttentionComparison {
  /** Name of the utterance. */
  readonly utterance: string;
  readonly seconds: number;
  readonly teacher: readonly AttentionLayer[];
  readonly student: readonly AttentionLayer[];
}

export interface ReportData {
  /** Name or folder of the corpus. */
  readonly corpus: string;
  readonly utterances: number;
  readonly seconds: number;
  readonly fingerprint: string;
  readonly badFiles: readonly { readonly path: string; readonly reason: string }[];
  /** The same for the validation set, where there is one. */
  readonly validation?: { readonly corpus: string; readonly utterances: number; readonly seconds: number };
}

export interface RunReportData {
  readonly title: string;
  /** Resolved recipe, YAML text. */
  readonly recipe: string;
  readonly teacher: ReportModel;
  readonly student: ReportModel;
  /** All rows of metrics.jsonl, training and validation, any number. */
  readonly metrics: readonly MetricsRow[];
  /** Steps that the recipe asks for; tells whether the run is complete. */
  readonly totalSteps?: number;
  readonly data: ReportData;
  /** Name -> version: stillwave, node, onnxruntime, device, ... */
  readonly versions: Readonly<Record<string, string>>;
  readonly attention?: AttentionComparison;
}
