// What can be said about an upstream besides its name.
import type { LoadOptions } from "../checkpoint/index.ts";
import type { Device } from "../runtime/runtime.ts";
import type { StateChoice } from "./states.ts";

export interface UpstreamOptions extends LoadOptions {
  /** Which hidden states; default `auto`. */
  readonly states?: StateChoice;
  /** Where models run; default `cpu`. Exported files and filterbanks run on the CPU. */
  readonly device?: Device | "auto";
  /** Threads inside one operation; default: the cores this process may use. */
  readonly threads?: number;
  /** What a careful user would want to know about the model. */
  readonly onNote?: (text: string) => void;
}
