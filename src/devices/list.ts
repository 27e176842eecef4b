// What computes here: every device with what it runs on, or what keeps it from working and what to do about that.
import { cpus } from "node:os";
import { memoryLimit } from "../memory.ts";
import { DEVICES, type Device, platformOfDevice } from "../runtime/device.ts";
import { factsOf, problemWith, remedyFor } from "../runtime/node/choose.ts";
import { loadEngine } from "../runtime/node/engine.ts";
import { type FoundPlugin, findPlugin } from "../runtime/xla/find.ts";
import { bestPrecision } from "../runtime/xla/precision.ts";
import type { Precision } from "../stablehlo/precision.ts";

export interface DeviceReport {
  readonly device: Device;
  /** What keeps it from working here; null: it works. */
  readonly problem: string | null;
  /** What to do about that; null: it works. */
  readonly remedy: string | null;
  /** The processor, or every device of a plugin, by the name it gives itself. */
  readonly kinds: readonly string[];
  /** Of one device; null: not known. */
  readonly memoryBytes: number | null;
  /** What `run.precision: auto` is there; null: it does not work. */
  readonly precision: Precision | null;
  /** `onnxruntime 1.30.0`, or the platform's version in the plugin's words. */
  readonly engine: string;
  readonly plugin:
    | (Pick<FoundPlugin, "path" | "source"> & { readonly version: string | null; readonly interface: string })
    | null;
}

/** Every device by name. Starts each once, in processes of their own. */
export async function reportDevices(): Promise<DeviceReport[]> {
  const reports: DeviceReport[] = [];
  // `xla` is one of those behind it
  for (const device of DEVICES.filter((name) => name !== "xla")) reports.push(await reportOf(device));
  return reports;
}

async function reportOf(device: Device): Promise<DeviceReport> {
  const problem = (await problemWith(device)) ?? null;
  const remedy = problem === null ? null : remedyFor(device);
  const none = { device, problem, remedy, kinds: [], memoryBytes: null, precision: null, engine: "", plugin: null };
  if (problem !== null) return none;
  const platform = platformOfDevice(device) ?? (device === "cuda" ? device : undefined);
  const found = platform && (await findPlugin(platform));
  if (!found) {
    const engine = `onnxruntime ${loadEngine().version}`;
    const own = { ...none, precision: bestPrecision(device, ""), engine };
    return device === "cpu" ? { ...own, kinds: [cpus()[0]?.model ?? "cpu"], memoryBytes: memoryLimit().bytes } : own;
  }
  const facts = await factsOf(found);
  // problemWith has asked the same, and was given facts
  if (typeof facts === "string") return { ...none, problem: facts, remedy: remedyFor(device) };
  const { path, source, version = null } = found;
  const kinds = facts.devices.map(({ kind }) => kind);
  return {
    ...none,
    kinds,
    precision: bestPrecision(`xla:${platform}`, kinds[0]),
    memoryBytes: facts.devices[0]?.memory?.limitBytes ?? null,
    engine: facts.platformVersion,
    plugin: { path, source, version, interface: facts.interface },
  };
}
