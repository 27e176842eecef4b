// What an evaluation is asked for, and what everything after its preparation works with.
import type { Device } from "../../runtime/runtime.ts";
import type { Upstream, UpstreamOptions } from "../../upstream/upstream.ts";
import type { DecodingOptions } from "../tasks/decoding.ts";
import type { CorpusOptions, Split, TaskData, TaskUtterance } from "../tasks/task.types.ts";
import type { TrainingChoices } from "./settings.ts";
import type { SweepParts } from "./sweep.ts";

export interface EvaluationOptions {
  readonly task: string;
  /** Model folder, checkpoint, Hugging Face id, ONNX file, `fbank` or `mfcc`. */
  readonly upstream: string;
  readonly upstreamOptions?: Pick<UpstreamOptions, "states" | "part" | "reuse" | "teacherHeads">;
  readonly corpus: CorpusOptions;
  /** The run folder. */
  readonly outDir: string;
  readonly training?: TrainingChoices;
  /** Another decoding beside the greedy one (tasks that spell). */
  readonly decoding?: DecodingOptions;
  /** Where hidden states are kept; default the user's cache folder; null: they are made again whenever they are needed. */
  readonly cacheRoot?: string | null;
  readonly dtype?: "float16" | "float32";
  readonly resume?: boolean;
  /** Resume although options, data or upstream differ. */
  readonly force?: boolean;
  readonly device?: Device | "auto";
  readonly threads?: number;
  /** Decoding threads. */
  readonly workers?: number;
  readonly signal?: AbortSignal;
}

/** What everything after the preparation works with. */
export interface PreparedEvaluation extends SweepParts {
  readonly options: EvaluationOptions;
  readonly data: TaskData;
  readonly utterances: Readonly<Record<Split, readonly TaskUtterance[]>>;
  readonly upstream: Upstream;
  /** Of making hidden states. */
  readonly featureSeconds: number;
}
