// What the page and its worker say to each other.
import type { WebDevice } from "../src/web.ts";

export type Request =
  | {
      readonly type: "open";
      /** The file, or its URL. */
      readonly model: ArrayBuffer | string;
      readonly device: WebDevice | "auto";
      /** URL of the engine's folder. */
      readonly wasmPaths: string;
    }
  | { readonly type: "run"; readonly wave: Float32Array };

/** One hidden state: [frames, dim]. */
export interface State {
  readonly name: string;
  readonly frames: number;
  readonly dim: number;
  readonly data: Float32Array;
}

export type Reply =
  | { readonly type: "opened"; readonly device: WebDevice; readonly threads: number; readonly milliseconds: number }
  | { readonly type: "result"; readonly states: readonly State[]; readonly milliseconds: number }
  | { readonly type: "failed"; readonly message: string };
