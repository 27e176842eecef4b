// What the page or worker that we run in can do: threads, WebGPU; and the one engine per page that is configured once.
import type { Env } from "onnxruntime-common";
import { StillwaveError } from "../../errors.ts";

interface Adapter {
  readonly info?: { readonly isFallbackAdapter?: boolean };
  readonly isFallbackAdapter?: boolean;
}
interface Page {
  readonly crossOriginIsolated?: boolean;
  readonly navigator?: {
    readonly hardwareConcurrency?: number;
    readonly gpu?: { requestAdapter(): Promise<Adapter | null> };
  };
}
const page = globalThis as unknown as Page;

/** Threads that WASM may have here: the cores, in a cross-origin isolated page; 0 where threads cannot be had. */
export function availableThreads(): number {
  return page.crossOriginIsolated === true ? Math.max(1, page.navigator?.hardwareConcurrency ?? 1) : 0;
}

/** What keeps WebGPU from working here, or undefined. Adapters that compute on the CPU count only where `software` is set. */
export async function gpuProblem({ software }: { readonly software: boolean }): Promise<string | undefined> {
  const { gpu } = page.navigator ?? {};
  if (!gpu) return "this browser has no WebGPU, or the page is not served over https or from localhost";
  const adapter = await gpu.requestAdapter().catch(() => null);
  if (!adapter) return "this machine offers no WebGPU adapter";
  if (!software && (adapter.info?.isFallbackAdapter ?? adapter.isFallbackAdapter))
    return "its only adapter is software";
  return undefined;
}

export interface EngineSettings {
  readonly threads: number;
  readonly wasmPaths: string | undefined;
  readonly startLimitMs: number;
}

const claimed = new Map<string, EngineSettings>();

/** Sets up the engine of a build. It starts once a page and keeps its settings, so asking for others later is an error. */
export function claimEngine(env: Env, build: string, settings: EngineSettings): void {
  const before = claimed.get(build);
  if (before) {
    for (const name of ["threads", "wasmPaths"] as const)
      if (before[name] !== settings[name])
        throw new StillwaveError(
          `the ${build} engine of this page was set up with ${name} ${before[name]} and cannot change to ${settings[name]}; ` +
            "use the same settings everywhere, or another worker",
        );
    return;
  }
  claimed.set(build, settings);
  env.logLevel = "fatal";
  env.wasm.numThreads = settings.threads;
  env.wasm.initTimeout = settings.startLimitMs;
  if (settings.wasmPaths !== undefined) env.wasm.wasmPaths = settings.wasmPaths;
}
