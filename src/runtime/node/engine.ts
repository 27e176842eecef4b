// The build of ONNX Runtime that computes in this process: the native one, or WebAssembly where that is not installed.
import { createRequire } from "node:module";
import { StillwaveError, unknownName } from "../../errors.ts";

/** What both builds export, and what only the native one does. */
export type Ort = typeof import("onnxruntime-common") & {
  listSupportedBackends?(): readonly { readonly name: string }[];
};

export interface Engine {
  readonly kind: "native" | "wasm";
  /** For records of runs: `1.30.0`, or `1.30.0 wasm`, whose last bits differ. */
  readonly version: string;
  readonly ort: Ort;
}

const require = createRequire(import.meta.url);
let loaded: Engine | undefined;

/**
 * Loads the engine on the first call. `STILLWAVE_ENGINE=native` or `wasm` chooses one; without it the native one is taken
 * where it is installed, and a line on stderr says so where it is not.
 * @throws StillwaveError where the chosen engine is not installed.
 */
export function loadEngine(): Engine {
  loaded ??= chooseEngine(process.env.STILLWAVE_ENGINE ?? "");
  return loaded;
}

function chooseEngine(wanted: string): Engine {
  if (wanted === "wasm") return wasmEngine();
  if (wanted !== "" && wanted !== "native") throw unknownName("STILLWAVE_ENGINE", wanted, ["native", "wasm"]);
  try {
    return nativeEngine();
  } catch (error) {
    const engine = wasmEngine();
    const problem = `the native engine ${problemOf(error as NodeJS.ErrnoException)}; ${howToAdd(engine)}`;
    if (wanted === "native") throw new StillwaveError(problem);
    process.stderr.write(`stillwave: computing on WebAssembly, slower: ${problem}\n`);
    return engine;
  }
}

/** Where the native engine's module is. */
export const nativeEnginePath = (): string => require.resolve("onnxruntime-node");

function nativeEngine(): Engine {
  const ort = require("onnxruntime-node") as Ort;
  // Failures reach us as exceptions. Read once, before the first session.
  ort.env.logLevel = "fatal";
  return { kind: "native", version: ort.env.versions.node ?? ort.env.versions.common, ort };
}

/** What keeps ONNX Runtime from working here at all, or undefined: machines whose devices are XLA's can do without. */
export function engineMissing(): string | undefined {
  try {
    loadEngine();
    return undefined;
  } catch (error) {
    if (error instanceof StillwaveError) return error.message;
    throw error;
  }
}

function wasmEngine(): Engine {
  const ort = loadWasm();
  ort.env.logLevel = "fatal";
  return { kind: "wasm", version: `${ort.env.versions.web ?? ort.env.versions.common} wasm`, ort };
}

function loadWasm(): Ort {
  try {
    return require("onnxruntime-web") as Ort;
  } catch (error) {
    throw new StillwaveError(`ONNX Runtime ${problemOf(error as NodeJS.ErrnoException)}: npm install onnxruntime-node`);
  }
}

const problemOf = ({ code, message }: NodeJS.ErrnoException): string =>
  code === "MODULE_NOT_FOUND" ? "is not installed" : `cannot be loaded (${message.split("\n")[0]})`;

/** `error`, or what it means where WebAssembly's memory is full: no bug, and something can be done. */
export function outOfMemory(engine: Engine, error: unknown): unknown {
  if (engine.kind === "native" || !/bad_alloc|Integer overflow/.test(String(error))) return error;
  return new StillwaveError(
    `WebAssembly has 4 GB of memory for everything at once, which is not enough here: take smaller batches, or the native engine; ${howToAdd(engine)}`,
  );
}

/** The script of onnxruntime-node only fetches CUDA, which few need and few networks allow. */
export const howToAdd = ({ ort }: Engine): string =>
  `to add it: npm install onnxruntime-node@${ort.env.versions.web} --ignore-scripts`;
