// The runtime of Node: ONNX Runtime's native build on CPU, CUDA or WebGPU.
import { availableParallelism } from "node:os";
import * as ort from "onnxruntime-node";
import { StillwaveError, UsageError } from "../../errors.ts";
import { encodeModel } from "../../onnx/proto.ts";
import type { Graph } from "../../onnx/serialize.ts";
import { toOnnx } from "../../onnx/serialize.ts";
import { createExecutable } from "../executable.ts";
import type { Device, Executable, Runtime } from "../runtime.ts";

export type { Device, Executable, Feed, Feeds, Runtime } from "../runtime.ts";

export interface RuntimeOptions {
  /** `auto` takes cuda, webgpu, cpu in this order, the first that is there. */
  readonly device?: Device | "auto";
  /** Threads inside one operation; default: the cores this process may use. */
  readonly threads?: number;
  /** Let ONNX Runtime rewrite graphs: `all` for inference, `none` (the default) for training graphs, which are final as written. */
  readonly optimize?: "none" | "all";
}

const HOW_TO_ADD: Record<Exclude<Device, "cpu">, string> = {
  cuda:
    "the CUDA execution provider is not part of the npm package: run `ONNXRUNTIME_NODE_INSTALL=cuda12 node node_modules/onnxruntime-node/script/install.js` " +
    "on a Linux machine with an NVIDIA driver and CUDA 12, or use `device: cpu`",
  webgpu: "this machine offers no WebGPU adapter (a Vulkan, Metal or D3D12 driver is needed), or use `device: cpu`",
};

/** Execution providers compiled into this build, in our names. */
export function listDevices(): Device[] {
  const known: readonly Device[] = ["cpu", "cuda", "webgpu"];
  const names = new Set(ort.listSupportedBackends().map((backend) => backend.name));
  return known.filter((device) => device === "cpu" || names.has(device));
}

async function works(device: Device): Promise<string | undefined> {
  if (device === "cpu") return undefined;
  if (!listDevices().includes(device)) return `not in this build of ONNX Runtime (it has: ${listDevices().join(", ")})`;
  try {
    const { scalar } = await import("../../graph/value.ts");
    const probe: Graph = { name: "probe", outputs: new Map([["one", scalar(1)]]) };
    const session = await ort.InferenceSession.create(encodeModel(toOnnx(probe)), { executionProviders: [device] });
    await session.release();
    return undefined;
  } catch (error) {
    return String((error as Error).message).split("\n")[0]!;
  }
}

async function chooseDevice(wanted: Device | "auto"): Promise<Device> {
  if (wanted === "auto") {
    for (const device of ["cuda", "webgpu"] as const) if (!(await works(device))) return device;
    return "cpu";
  }
  if (!["cpu", "cuda", "webgpu"].includes(wanted))
    throw new UsageError(`unknown device "${String(wanted)}"; valid: cpu, cuda, webgpu, auto`);
  const problem = await works(wanted);
  if (problem && wanted !== "cpu")
    throw new StillwaveError(
      `device "${wanted}" is not available: ${problem}. Available here: ${listDevices()
        .filter((d) => d !== wanted)
        .join(", ")}. ${HOW_TO_ADD[wanted]}`,
    );
  return wanted;
}

/** A runtime on one device. A device that is not there is an error that says what is; nothing falls back silently. */
export async function createRuntime(options: RuntimeOptions = {}): Promise<Runtime> {
  const { device: wanted = "cpu", threads = availableParallelism(), optimize = "none" } = options;
  if (!Number.isInteger(threads) || threads < 1)
    throw new UsageError(`threads must be a positive integer, got ${threads}`);
  const device = await chooseDevice(wanted);
  const sessionOptions: ort.InferenceSession.SessionOptions = {
    executionProviders: device === "cpu" ? ["cpu"] : [device, "cpu"],
    intraOpNumThreads: threads,
    graphOptimizationLevel: optimize === "all" ? "all" : "disabled",
    enableCpuMemArena: true,
    enableMemPattern: false,
    logSeverityLevel: 3,
  };
  return {
    device,
    version: ort.env.versions.node ?? ort.env.versions.common,
    async compile(graph: Graph): Promise<Executable> {
      const session = await ort.InferenceSession.create(encodeModel(toOnnx(graph)), sessionOptions);
      return createExecutable(graph, session, ort.Tensor);
    },
  };
}
