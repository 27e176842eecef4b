// What executes graphs: compile once, run with any sizes of the symbolic dimensions.
import type { HostArray } from "../graph/array.ts";
import type { Graph } from "../graph/graph.ts";
import type { Device } from "./device.ts";

/** More threads than any machine has cores are a mistake. */
export const MAX_THREADS = 1024;

/** One input of a run. int64 as BigInt64Array, uint8 and bool as Uint8Array, float16 as the bit patterns in a Uint16Array. */
export interface Feed {
  readonly shape: readonly number[];
  readonly data: Float32Array | BigInt64Array | Uint8Array | Uint16Array;
}
export type Feeds = Readonly<Record<string, Feed>>;

/** A compiled graph. */
export interface Executable {
  /**
   * Runs once and returns the outputs by name, float32. Outputs named in `into` are written there, in place, instead of
   * into fresh memory. Inputs are read where they are, not copied.
   */
  run(feeds: Feeds, into?: Readonly<Record<string, Float32Array>>): Promise<Record<string, HostArray>>;
  dispose(): Promise<void>;
}

export interface Runtime {
  /** Where it computes: of `xla` and `auto`, what they came to. */
  readonly device: Device | "wasm";
  /** ONNX Runtime's version, or the XLA plugin's, for run records. */
  readonly version: string;
  /** Threads of the CPU that one operation uses; undefined where others compute, or all runtimes of a process share them. */
  readonly threads?: number;
  /** Every set of sizes costs a compilation: there shall be few. */
  readonly compilesShapes?: boolean;
  /** Runs that are worth having under way at a time, each on a device of its own; default: 1. */
  readonly inParallel?: number;
  compile(graph: Graph): Promise<Executable>;
}
