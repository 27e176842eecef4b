// The runtime of browsers: ONNX Runtime's WebAssembly build, on WASM (SIMD, threads) or WebGPU. Imports nothing of Node's.
import type { Env, InferenceSession, TensorConstructor } from "onnxruntime-common";
import { StillwaveError, UsageError, unknownName } from "../../errors.ts";
import type { Graph } from "../../graph/graph.ts";
import { encodeModel } from "../../onnx/proto.ts";
import { toOnnx } from "../../onnx/serialize.ts";
import { createExecutable } from "../executable.ts";
import { openSession } from "../onnx-file.ts";
import type { OnnxFile } from "../onnx-file.types.ts";
import type { Executable, Runtime } from "../runtime.ts";
import { fetchBytes } from "./fetch.ts";
import { availableThreads, claimEngine, gpuProblem } from "./page.ts";

export type { OnnxFile, OnnxOutput, OnnxPort } from "../onnx-file.types.ts";
export type { Executable, Feed, Feeds, Runtime } from "../runtime.ts";
export { availableThreads } from "./page.ts";

export type WebDevice = "wasm" | "webgpu";

export interface WebRuntimeOptions {
  /** `auto` takes webgpu where the browser has a hardware adapter, wasm otherwise. Default: wasm. */
  readonly device?: WebDevice | "auto";
  /**
   * Threads of the WASM engine. More than 1 need a cross-origin isolated page (COOP and COEP headers) and `wasmPaths`.
   * Default: what the page allows, at most 4; 1 without `wasmPaths`.
   */
  readonly threads?: number;
  /**
   * URL of the folder, ending in "/", where the files `ort-wasm-simd-threaded*.{mjs,wasm}` of onnxruntime-web are served.
   * A bundler cannot find them by itself. Default: beside onnxruntime-web's own module.
   */
  readonly wasmPaths?: string;
  /** Let ONNX Runtime rewrite graphs: `all` (the default: browsers run inference) or `none`. */
  readonly optimize?: "none" | "all";
}

export interface WebRuntime extends Runtime {
  readonly device: WebDevice;
  readonly threads: number;
  /** Opens an exported ONNX model: the bytes of the file, or its URL. */
  open(model: Uint8Array | ArrayBuffer | string | URL): Promise<OnnxFile>;
}

/** What both builds of onnxruntime-web export. */
interface Ort {
  readonly env: Env;
  readonly Tensor: TensorConstructor;
  readonly InferenceSession: {
    create(model: Uint8Array, options: InferenceSession.SessionOptions): Promise<InferenceSession>;
  };
}

/** Long enough for 27 MB over a slow line; without a limit an engine that cannot start its threads would hang for good. */
const START_LIMIT_MS = 180_000;

const DEVICES: readonly WebDevice[] = ["wasm", "webgpu"];

async function chooseDevice(wanted: WebDevice | "auto"): Promise<WebDevice> {
  if (wanted === "auto") return (await gpuProblem({ software: false })) ? "wasm" : "webgpu";
  if (!DEVICES.includes(wanted)) throw unknownName("device", String(wanted), [...DEVICES, "auto"]);
  const problem = wanted === "webgpu" ? await gpuProblem({ software: true }) : undefined;
  if (problem) throw new StillwaveError(`device "webgpu" is not available: ${problem}; use device "wasm" or "auto"`);
  return wanted;
}

function chooseThreads(device: WebDevice, { threads, wasmPaths }: WebRuntimeOptions): number {
  if (threads !== undefined && (!Number.isInteger(threads) || threads < 1))
    throw new UsageError(`threads must be a positive integer, got ${threads}`);
  if (device === "webgpu") return 1;
  const available = availableThreads();
  if (threads === undefined) return wasmPaths === undefined ? 1 : Math.min(available, 4);
  if (threads > 1 && available === 0)
    throw new StillwaveError(
      `${threads} threads need a cross-origin isolated page: serve it with the headers "Cross-Origin-Opener-Policy: same-origin" ` +
        'and "Cross-Origin-Embedder-Policy: require-corp", or use 1 thread',
    );
  if (threads > 1 && wasmPaths === undefined)
    throw new UsageError(
      `${threads} threads need wasmPaths, the URL of the folder with onnxruntime-web's ort-wasm-simd-threaded files: ` +
        "the threads of a bundled engine would load the bundle and hang",
    );
  return threads;
}

/** The engine starts with the first session: its failure, as opposed to a model's, in terms of what must be served where. */
function startFailure(error: unknown, wasmPaths: string | undefined): StillwaveError | undefined {
  const message = String(error instanceof Error ? error.message : error);
  if (!/^no available backend found|previous call to 'initWasm/.test(message)) return undefined;
  const place = wasmPaths ?? "the folder of onnxruntime-web's module (wasmPaths names another)";
  return new StillwaveError(
    `the engine did not start: ${message.split("\n")[0]}. Its files ort-wasm-simd-threaded*.{mjs,wasm}, of the same version ` +
      `as onnxruntime-web, must be served below ${place}`,
  );
}

/** A runtime in a page or worker. What is not there is an error that says so; nothing falls back silently. */
export async function createRuntime(options: WebRuntimeOptions = {}): Promise<WebRuntime> {
  const { wasmPaths, optimize = "all" } = options;
  if (wasmPaths !== undefined && !wasmPaths.endsWith("/"))
    throw new UsageError(`wasmPaths must be the URL of a folder and end in "/", got "${wasmPaths}"`);
  const device = await chooseDevice(options.device ?? "wasm");
  const threads = Math.max(1, chooseThreads(device, options));
  // Two builds: the one for WebGPU is twice as large, so only pages that use it load it.
  const ort = (
    device === "webgpu" ? await import("onnxruntime-web/webgpu") : await import("onnxruntime-web/wasm")
  ) as Ort;
  claimEngine(ort.env, device, { threads, wasmPaths, startLimitMs: START_LIMIT_MS });
  const sessionOptions: InferenceSession.SessionOptions = {
    executionProviders: [device],
    graphOptimizationLevel: optimize === "all" ? "all" : "disabled",
    logSeverityLevel: 4, // errors are exceptions
  };
  const createSession = (bytes: Uint8Array): Promise<InferenceSession> =>
    ort.InferenceSession.create(bytes, sessionOptions).catch((error: unknown) => {
      throw startFailure(error, wasmPaths) ?? error;
    });
  return {
    device,
    threads,
    version: ort.env.versions.web ?? ort.env.versions.common,
    async compile(graph: Graph): Promise<Executable> {
      const session = await createSession(encodeModel(toOnnx(graph)));
      return createExecutable(graph, session, ort.Tensor, { writesInPlace: false });
    },
    async open(model) {
      const isUrl = typeof model === "string" || model instanceof URL;
      const bytes = isUrl ? await fetchBytes(model) : model instanceof Uint8Array ? model : new Uint8Array(model);
      return openSession(isUrl ? String(model) : "the model", () => createSession(bytes), ort.Tensor, device);
    },
  };
}
