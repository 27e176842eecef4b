// The runtime of Node: ONNX Runtime's native build on CPU, CUDA or WebGPU, its WebAssembly build on the CPU, or an XLA plugin.
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { basename } from "node:path";
import type { InferenceSession } from "onnxruntime-common";
import { StillwaveError, UsageError, unknownName } from "../../errors.ts";
import type { Graph } from "../../graph/graph.ts";
import { encodeModel } from "../../onnx/proto.ts";
import { toOnnx } from "../../onnx/serialize.ts";
import { createExecutable } from "../executable.ts";
import { openSession } from "../onnx-file.ts";
import type { OnnxFile } from "../onnx-file.types.ts";
import { type Device, type Executable, MAX_THREADS, type Runtime } from "../runtime.ts";
import { openXla, xlaProblem } from "../xla/index.ts";
import { type Engine, howToAdd, loadEngine, outOfMemory } from "./engine.ts";
import { problemStarting } from "./probe.ts";

export type { OnnxFile } from "../onnx-file.types.ts";
export type { Device, Executable, Feed, Feeds, Runtime } from "../runtime.ts";

export interface RuntimeOptions {
  /** `auto` takes cuda, webgpu, cpu in this order, the first that is there. */
  readonly device?: Device | "auto";
  /**
   * Threads inside one operation; default: the cores this process may use. On WebAssembly all runtimes of a process share
   * the threads that the first one asks for.
   */
  readonly threads?: number;
  /** Let ONNX Runtime rewrite graphs: `all` for inference, `none` (the default) for training graphs, which are final as written. */
  readonly optimize?: "none" | "all";
  /**
   * Keep freed memory for the next operation (default). An arena never shrinks, and over many shapes it grows to several
   * times what one needs; without it memory follows the batch, but large tensors cost page faults: a training step at
   * 2 x 15 s took 6.4 s instead of 3.8 s in the student.
   */
  readonly arena?: boolean;
  /**
   * Threads that wait for work keep their core busy (default), which starts the next operation sooner on a quiet machine. On a
   * shared one it starves everybody: without spinning, two processes on two cores were several times as fast.
   */
  readonly spin?: boolean;
}

const DEVICES: readonly Device[] = ["cpu", "cuda", "webgpu", "xla"];

const HOW_TO_ADD: Record<Exclude<Device, "cpu">, string> = {
  cuda:
    "the CUDA execution provider is not part of the npm package: run `ONNXRUNTIME_NODE_INSTALL=cuda12 node node_modules/onnxruntime-node/script/install.js` " +
    "on a Linux machine with an NVIDIA driver and CUDA 12, or use `device: cpu`",
  xla: "install a PJRT plugin (a shared library with the function GetPjrtApi) and name it in STILLWAVE_XLA_PLUGIN",
  webgpu: "this machine offers no WebGPU adapter (a Vulkan, Metal or D3D12 driver is needed), or use `device: cpu`",
};

/** What keeps a device from working here, or undefined. */
async function problemWith(device: Device): Promise<string | undefined> {
  if (device === "cpu") return undefined;
  if (device === "xla") return xlaProblem();
  const engine = loadEngine();
  const { ort } = engine;
  if (!ort.listSupportedBackends) return `it needs the native engine; ${howToAdd(engine)}`;
  if (!ort.listSupportedBackends().some(({ name }) => name === device)) return "not in this build of ONNX Runtime";
  return problemStarting(device);
}

/** The devices that work here, in our names. Starts each once. */
export async function listDevices(): Promise<Device[]> {
  const working: Device[] = [];
  for (const device of DEVICES) if (!(await problemWith(device))) working.push(device);
  return working;
}

async function chooseDevice(wanted: Device | "auto"): Promise<Device> {
  if (wanted === "auto") {
    for (const device of ["cuda", "webgpu"] as const) if (!(await problemWith(device))) return device;
    return "cpu";
  }
  if (!DEVICES.includes(wanted)) throw unknownName("device", String(wanted), [...DEVICES, "auto"]);
  const problem = await problemWith(wanted);
  if (problem && wanted !== "cpu")
    throw new StillwaveError(
      `device "${wanted}" is not available: ${problem}. Available here: ${(await listDevices()).join(", ")}. ${HOW_TO_ADD[wanted]}`,
    );
  return wanted;
}

/** The engine, with a pool of threads where it is WebAssembly: one a process, of the size that is asked for first. */
function startEngine(threads: number): Engine {
  const engine = loadEngine();
  if (engine.kind === "wasm") engine.ort.env.wasm.numThreads ??= threads;
  return engine;
}

function checkThreads(threads: number): void {
  if (!Number.isInteger(threads) || threads < 1 || threads > MAX_THREADS)
    throw new UsageError(`threads must be a whole number from 1 to ${MAX_THREADS}, got ${threads}`);
}

/** A runtime on one device. A device that is not there is an error that says what is; nothing falls back silently. */
export async function createRuntime(options: RuntimeOptions = {}): Promise<Runtime> {
  const { device: wanted = "cpu", threads = availableParallelism(), optimize = "none", arena = true } = options;
  const { spin = process.env.STILLWAVE_SPIN !== "0" } = options;
  checkThreads(threads);
  const device = await chooseDevice(wanted);
  if (device === "xla") return openXla();
  const engine = startEngine(threads);
  const { ort } = engine;
  const sessionOptions: InferenceSession.SessionOptions = {
    executionProviders: device === "cpu" ? ["cpu"] : [device, "cpu"],
    intraOpNumThreads: threads,
    graphOptimizationLevel: optimize === "all" ? "all" : "disabled",
    enableCpuMemArena: arena,
    enableMemPattern: false,
    logSeverityLevel: 4, // errors are exceptions
    ...(!spin && { extra: { session: { "intra_op.allow_spinning": "0", "inter_op.allow_spinning": "0" } } }),
  };
  const failed = (error: unknown) => {
    throw outOfMemory(engine, error);
  };
  return {
    device,
    version: engine.version,
    threads: device === "cpu" && engine.kind === "native" ? threads : undefined,
    async compile(graph: Graph): Promise<Executable> {
      const session = await ort.InferenceSession.create(encodeModel(toOnnx(graph)), sessionOptions).catch(failed);
      const executable = createExecutable(graph, session, ort.Tensor, { writesInPlace: engine.kind === "native" });
      return { ...executable, run: (feeds, into) => executable.run(feeds, into).catch(failed) };
    },
  };
}

/** Weights beside a model. The native engine finds any that the model names, the WebAssembly one must be given them. */
async function externalData(path: string): Promise<{ path: string; data: Uint8Array }[]> {
  const file = `${path}.data`;
  return existsSync(file) ? [{ path: basename(file), data: await readFile(file) }] : [];
}

/**
 * Opens an ONNX file on the CPU with every optimisation.
 * @throws StillwaveError where it is no model
 */
export async function openOnnxFile(path: string, threads = availableParallelism()): Promise<OnnxFile> {
  checkThreads(threads);
  const { kind, ort } = startEngine(threads);
  const options: InferenceSession.SessionOptions = {
    externalData: kind === "wasm" ? await externalData(path) : undefined,
    executionProviders: ["cpu"],
    intraOpNumThreads: threads,
    graphOptimizationLevel: "all",
    enableMemPattern: false,
    logSeverityLevel: 4,
  };
  return openSession(path, () => ort.InferenceSession.create(path, options), ort.Tensor);
}
