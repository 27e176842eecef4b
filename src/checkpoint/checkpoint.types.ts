// What reading a checkpoint takes and gives.
import type { ModelConfig, ReuseSemantics } from "../models/config.ts";
import type { ModelWeights } from "../models/parameters.ts";
import type { StoredTensor, StoredTensors } from "./formats/tensors.ts";

/** Which of the known layouts a checkpoint has; `unknown` can be inspected, but holds no model for us. */
export type CheckpointFormat =
  | "stillwave"
  | "huggingface-safetensors"
  | "huggingface-torch"
  | "fairseq-zip"
  | "fairseq-legacy"
  | "wavlm"
  | "s3prl-converted"
  | "lightning"
  | "dphubert"
  | "unknown";

export interface LoadOptions {
  /** Which model of a distillation checkpoint; the student unless given. Other checkpoints hold one model. */
  readonly part?: "student" | "teacher";
  /** How reusing layers apply a map. Unless given: what the file says, `official` for official students. */
  readonly reuse?: ReuseSemantics;
  /** Attention heads of the teacher inside a Lightning checkpoint, which does not record them (12 and 16 are known for 768 and 1024 dims). */
  readonly teacherHeads?: number;
}

export interface LoadedModel extends ModelWeights {
  readonly info: ModelInfo;
}

export interface ModelInfo {
  readonly path: string;
  readonly format: CheckpointFormat;
  /** Element types of the tensors used, e.g. `F16` or `F32, F16`. */
  readonly storedDtype: string;
  readonly part?: "student" | "teacher";
  /** Tensors in the file that the model does not use: label embeddings, quantizer, optimizer state... */
  readonly ignored: readonly string[];
  /** What a careful user would want to know: disagreements and assumptions. */
  readonly notes: readonly string[];
}

/** How the tensors of a file make up a model; nothing has been read yet. */
export interface ModelPlan {
  readonly config: ModelConfig;
  /** In the order of parameterSpecs. */
  readonly sources: ReadonlyMap<string, () => Promise<Float32Array>>;
  readonly used: readonly StoredTensor[];
  readonly part?: "student" | "teacher";
  readonly ignored: readonly string[];
  readonly notes: readonly string[];
}

/** An open checkpoint of any format. */
export interface OpenCheckpoint {
  readonly path: string;
  readonly format: CheckpointFormat;
  /** Every tensor in the file, also those no model uses. */
  readonly tensors: StoredTensors;
  /** Configuration and other plain data found in it. */
  readonly metadata: Readonly<Record<string, unknown>>;
  /** Matches tensors with a model. @throws StillwaveError where something is missing or wrong. */
  plan(): ModelPlan;
  close(): Promise<void>;
}
