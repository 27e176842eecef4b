// Which formats a training computes in: what devices can do, and what `auto` comes to.
import { readFileSync } from "node:fs";
import { StillwaveError } from "../../errors.ts";
import type { Precision, PrecisionChoice } from "../../stablehlo/precision.ts";
import type { Device } from "../device.ts";
import type { Runtime } from "../runtime.ts";
import { isXla } from "./index.ts";

/** Instructions for products of bf16, as Linux names them. AVX-512's foundation alone multiplies float32. */
const BF16_FLAGS = ["amx_bf16", "avx512_bf16"] as const;

/** NVIDIA's names of cards before the Ampere generation, whose products are not done in bf16. */
const CARDS_WITHOUT_BF16 = /\b(?:Tesla|GTX|TITAN|RTX 20\d\d|Quadro|T4|T\d{3,4})\b/;

/** Whether all processors of a /proc/cpuinfo have instructions for products of bf16. */
export function hasBf16Instructions(cpuinfo: string): boolean {
  const lists = [...cpuinfo.matchAll(/^flags\s*:(.*)$/gm)].map(([, flags]) => new Set(flags.split(/\s+/)));
  return lists.length > 0 && lists.every((flags) => BF16_FLAGS.some((flag) => flags.has(flag)));
}

let processor: string | undefined;

/** Linux's description of this machine's processors; empty where there is none. */
function thisProcessor(): string {
  try {
    processor ??= readFileSync("/proc/cpuinfo", "utf8");
  } catch {
    processor = "";
  }
  return processor;
}

/** Whether this machine's processors have instructions for products of bf16. */
export const processorHasBf16 = (): boolean => hasBf16Instructions(thisProcessor());

/** What `auto` is on a device. @param kind as its plugin names it: `NVIDIA H200` */
export function bestPrecision(device: Device | "wasm", kind: string, cpuHasBf16 = processorHasBf16()): Precision {
  if (device === "xla:rocm" || device === "xla:tpu") return "bf16";
  if (device === "xla:cuda") return CARDS_WITHOUT_BF16.test(kind) ? "float32" : "bf16";
  return device === "xla:cpu" && cpuHasBf16 ? "bf16" : "float32";
}

/**
 * The formats in which a runtime trains.
 * @throws StillwaveError where it cannot train in the wanted ones
 */
export function choosePrecision(runtime: Runtime, wanted: PrecisionChoice): Precision {
  if (isXla(runtime)) {
    const { client, device } = runtime;
    return wanted === "auto" ? bestPrecision(device, client.deviceKind(client.devices[0])) : wanted;
  }
  if (wanted === "auto" || wanted === "float32") return "float32";
  throw new StillwaveError(
    `run.precision: ${wanted} needs an XLA device, and "${runtime.device}" is ONNX Runtime's, which trains in float32; ` +
      "set run.precision to auto or float32, or run.device to one that begins with xla (`stillwave devices` lists them)",
  );
}
