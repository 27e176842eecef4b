// What an export takes and gives.
import type { ArrayDifference } from "../upstream/difference.ts";
import type { State } from "../upstream/states.ts";

export type ExportDtype = "fp32" | "fp16" | "int8";
export type ExportOutput = "hidden-states" | "last" | "weighted-sum";

export interface ExportOptions {
  /** Threads inside one operation while the file is compared with its source; default: all cores. */
  readonly threads?: number;
  /** The file to write. */
  readonly out: string;
  /**
   * fp32 (default). fp16: weights stored as float16, computed in float32. int8: matrix products with weights of linear
   * layers in 8 bits (per output channel, symmetric), activations quantised as they come; all else float32.
   */
  readonly dtype?: ExportDtype;
  /** int8 only: what stays float is stored as float16. */
  readonly compact?: boolean;
  /** `hidden-states` (default): one output per state. `last`: the last alone. `weighted-sum`: one sum of states. */
  readonly output?: ExportOutput;
  /** Numbers of the hidden states to output or sum, 0 to the number of layers. All unless given. */
  readonly layers?: readonly number[];
  /** Head outputs of students along with their hidden states. Default true. */
  readonly heads?: boolean;
  /** What `weighted-sum` sums. Default `hidden-states`. */
  readonly sumOf?: "hidden-states" | "heads";
  /** One weight per summed state, used as they are; uniform unless given. */
  readonly weights?: readonly number[];
  /** Version of ONNX's standard operators, 17 to 23. Default 20, which ONNX Runtime 1.17 and later load. */
  readonly opset?: number;
  /**
   * Attention whose map no other layer reads as one operator of ONNX Runtime's own: no other runtime has it. On a CPU it
   * takes about a quarter less time than ours, which a whole model hardly shows. Default false: standard operators only.
   */
  readonly fuse?: boolean;
  /** Weights in `<file>.data` beside the model; always so above 2 GB. */
  readonly externalData?: boolean;
  /** An item's hidden states do not depend on what else is in the batch (GroupNorm models). Default: as the original tools. */
  readonly isolate?: boolean;
  /** Keep the file even where its drift is beyond the limit. */
  readonly force?: boolean;
  /** Speech to compare on, 16 kHz mono waveforms. Default: a few utterances that come with the package. */
  readonly speech?: readonly Float32Array[];
  /** Written into the file. */
  readonly name?: string;
}

/** Which states a file outputs, resolved and checked. */
export interface OutputChoice {
  readonly output: ExportOutput;
  /** In the order of the outputs. */
  readonly states: readonly State[];
  /** Of `weighted-sum`: one a state. */
  readonly weights?: readonly number[];
}

/** How far an output of the file is from the source model's, over true frames. */
export interface Drift extends ArrayDifference {
  readonly output: string;
}

export interface ExportResult {
  readonly file: string;
  /** The file with the weights, where they are apart. */
  readonly dataFile: string | null;
  readonly bytes: number;
  readonly parameters: number;
  readonly dtype: ExportDtype;
  readonly opset: number;
  /** The lowest version of ONNX Runtime that runs the file: `1.17`. Also in its metadata. */
  readonly lowestRuntime: string;
  readonly isolate: boolean;
  readonly outputs: readonly string[];
  readonly drift: readonly Drift[];
  /** Largest allowed `measure` of any output. */
  readonly limit: number;
  readonly measure: "maxRelative" | "relativeL2";
  readonly withinLimit: boolean;
  readonly warnings: readonly string[];
}
