// Which device computes: what works here, what keeps one from working, and what `auto` and `cuda` come to.
import { InternalError, StillwaveError, UsageError, unknownName } from "../../errors.ts";
import {
  DEVICE_CHOICES,
  DEVICES,
  type Device,
  type DeviceChoice,
  platformOfDevice,
  XLA_PLATFORMS,
  type XlaPlatform,
} from "../device.ts";
import { type FoundPlugin, findPlugin } from "../xla/find.ts";
import { noPlugin, wrongPlatform } from "../xla/open.ts";
import { processorHasBf16 } from "../xla/precision.ts";
import { probePlugin } from "../xla/probe.ts";
import { engineMissing, howToAdd, loadEngine } from "./engine.ts";
import { problemStarting } from "./probe.ts";

/** What the user does about a device that is not there. */
export function remedyFor(device: Device): string {
  const platform = platformOfDevice(device) ?? (device === "cuda" ? device : undefined);
  if (device === "webgpu") return `this machine offers no WebGPU adapter (a Vulkan, Metal or D3D12 driver is needed)`;
  return `\`stillwave devices add ${platform ?? "cpu"}\` fetches a plugin${platform ? "" : " (or cuda, rocm, tpu)"}`;
}

/** What keeps a device from working here, or undefined. Starts it, in a process of its own. */
export async function problemWith(device: Device): Promise<string | undefined> {
  if (device === "cpu") return engineMissing();
  const platform = platformOfDevice(device);
  if (platform !== null) return pluginProblem(platform);
  if (device === "cuda" && (await findPlugin("cuda"))?.platform === "cuda") return pluginProblem("cuda");
  return engineProblem(device);
}

/** Of ONNX Runtime's devices. */
async function engineProblem(device: Device): Promise<string | undefined> {
  const missing = engineMissing();
  if (missing) return missing;
  const engine = loadEngine();
  const { ort } = engine;
  if (!ort.listSupportedBackends) return `it needs the native engine; ${howToAdd(engine)}`;
  if (!ort.listSupportedBackends().some(({ name }) => name === device)) return "not in this build of ONNX Runtime";
  return problemStarting(device);
}

/** Plugins are the same as long as the process runs, by path. */
const probes = new Map<string, ReturnType<typeof probePlugin>>();

/** `probePlugin`, once a process. */
export function factsOf(found: FoundPlugin): ReturnType<typeof probePlugin> {
  const known = probes.get(found.path) ?? probePlugin(found);
  probes.set(found.path, known);
  return known;
}

async function pluginProblem(platform: XlaPlatform | undefined): Promise<string | undefined> {
  const found = await findPlugin(platform);
  if (!found) return noPlugin(platform);
  const facts = await factsOf(found);
  if (typeof facts === "string") return facts;
  return platform && facts.platform !== platform ? wrongPlatform(found, facts.platform) : undefined;
}

/** The devices that work here, in our names. Starts each once. */
export async function listDevices(): Promise<Device[]> {
  const working: Device[] = [];
  for (const device of DEVICES) if (!(await problemWith(device))) working.push(device);
  return working;
}

/**
 * The device that a choice comes to. `auto`: a GPU or TPU of an XLA plugin, then ONNX Runtime's CUDA and WebGPU, then XLA's
 * CPU for trainings in bf16 where the processor has that, then ONNX Runtime's.
 * @throws StillwaveError where ONNX Runtime's device is not there; an XLA device that is not says so when it is opened
 */
export async function chooseDevice(
  wanted: DeviceChoice,
  { trainsInBf16 = false }: { readonly trainsInBf16?: boolean } = {},
): Promise<Device> {
  if (!DEVICE_CHOICES.includes(wanted)) throw unknownName("device", String(wanted), DEVICE_CHOICES);
  if (wanted === "auto") return bestDevice(trainsInBf16 && processorHasBf16());
  if (wanted === "cuda" && (await findPlugin("cuda"))?.platform === "cuda") return "xla:cuda";
  if (wanted !== "cuda" && wanted !== "webgpu") return wanted;
  const problem = await engineProblem(wanted);
  if (problem) throw await unavailable(wanted, problem);
  return wanted;
}

/**
 * Where an ONNX file runs: on ONNX Runtime alone, as XLA runs none.
 * @throws StillwaveError where the device is not there, UsageError for one of XLA's
 */
export async function chooseFileDevice(wanted: DeviceChoice): Promise<"cpu" | "cuda" | "webgpu"> {
  if (!DEVICE_CHOICES.includes(wanted)) throw unknownName("device", String(wanted), DEVICE_CHOICES);
  if (wanted === "cpu") return wanted;
  if (wanted === "auto") {
    for (const device of ["cuda", "webgpu"] as const) if (!(await engineProblem(device))) return device;
    return "cpu";
  }
  if (wanted !== "cuda" && wanted !== "webgpu")
    throw new UsageError(
      `device "${wanted}": ONNX files run on ONNX Runtime's devices alone: cpu, cuda, webgpu or auto`,
    );
  const problem = await engineProblem(wanted);
  if (problem) throw await unavailable(wanted, problem);
  return wanted;
}

async function bestDevice(xlaOnCpu: boolean): Promise<Device> {
  for (const platform of XLA_PLATFORMS.filter((one) => one !== "cpu")) {
    const found = await findPlugin(platform);
    if (found && found.platform !== "cpu" && !(await pluginProblem(platform))) return `xla:${platform}`;
  }
  const device = await chooseFileDevice("auto");
  return device === "cpu" && xlaOnCpu && !(await pluginProblem("cpu")) ? "xla:cpu" : device;
}

/** The error of a device that is not there: what is wrong, what there is, and what to do. */
export async function unavailable(device: Device, problem: string): Promise<StillwaveError> {
  if (device === "cpu") throw new InternalError(problem);
  return new StillwaveError(
    `device "${device}" is not available: ${problem}. Available here: ${(await listDevices()).join(", ")}. ${remedyFor(device)}, or use \`device: cpu\``,
  );
}
