// The runtime of Node: ONNX Runtime's native build on CPU, CUDA or WebGPU, its WebAssembly build on the CPU, or an XLA plugin.
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { basename } from "node:path";
import type { InferenceSession } from "onnxruntime-common";
import { StillwaveError, UsageError } from "../../errors.ts";
import type { Graph } from "../../graph/graph.ts";
import { encodeModel } from "../../onnx/proto.ts";
import { toOnnx } from "../../onnx/serialize.ts";
import type { Introduction } from "../../processes/environment.ts";
import { type Device, type DeviceChoice, platformOfDevice } from "../device.ts";
import { createExecutable } from "../executable.ts";
import { openSession } from "../onnx-file.ts";
import type { OnnxFile } from "../onnx-file.types.ts";
import { type Executable, MAX_THREADS, type Runtime } from "../runtime.ts";
import { openXla } from "../xla/index.ts";
import { chooseDevice, chooseFileDevice, unavailable } from "./choose.ts";
import { type Engine, loadEngine, outOfMemory } from "./engine.ts";

export type { ProcessGroup } from "../../processes/group.ts";
export type { Device, DeviceChoice } from "../device.ts";
export type { OnnxFile } from "../onnx-file.types.ts";
export type { Executable, Feed, Feeds, Runtime } from "../runtime.ts";
export { listDevices } from "./choose.ts";

export interface RuntimeOptions {
  /** Default: cpu. `auto` takes the fastest that is there: a GPU or TPU, else the CPU. */
  readonly device?: DeviceChoice;
  /** It is for a training that may compute in bf16: then `auto` takes XLA on CPUs that have instructions for it. */
  readonly trainsInBf16?: boolean;
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
  /** Processes that share the work: an XLA device whose plugin can makes one of all their devices. */
  readonly place?: Introduction;
}

/** The XLA runtime of a device. @throws StillwaveError that says what is there instead */
async function openXlaDevice(device: Device, { threads, place }: RuntimeOptions): Promise<Runtime> {
  const found = platformOfDevice(device);
  try {
    return await openXla({ platform: found ?? undefined, threads, place });
  } catch (error) {
    throw error instanceof StillwaveError ? await unavailable(device, error.message) : error;
  }
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
  const device = await chooseDevice(wanted, options);
  if (platformOfDevice(device) !== null) return openXlaDevice(device, options);
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

export interface OpenOnnxOptions {
  /** `cpu` (default), `cuda`, `webgpu`, or `auto`: a GPU where ONNX Runtime has one that works. */
  readonly device?: DeviceChoice;
  /** Threads inside one operation; default: the cores this process may use. */
  readonly threads?: number;
}

/**
 * Opens an ONNX file with every optimisation.
 * @param model its path, or its bytes, which must hold the weights too
 * @throws StillwaveError where it is no model, or the device is not there
 */
export async function openOnnxFile(model: string | Uint8Array, options: OpenOnnxOptions = {}): Promise<OnnxFile> {
  const { threads = availableParallelism() } = options;
  checkThreads(threads);
  const device = await chooseFileDevice(options.device ?? "cpu");
  const { kind, ort } = startEngine(threads);
  const sessionOptions: InferenceSession.SessionOptions = {
    externalData: kind === "wasm" && typeof model === "string" ? await externalData(model) : undefined,
    executionProviders: device === "cpu" ? ["cpu"] : [device, "cpu"],
    intraOpNumThreads: threads,
    graphOptimizationLevel: "all",
    enableMemPattern: false,
    logSeverityLevel: 4,
  };
  const create = () =>
    typeof model === "string"
      ? ort.InferenceSession.create(model, sessionOptions)
      : ort.InferenceSession.create(model, sessionOptions);
  const where = typeof model === "string" ? model : "the model";
  return openSession(where, create, ort.Tensor, device);
}
