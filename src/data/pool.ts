// Threads that decode audio: started when first needed, shared by all readers, gone when idle; they never keep a process alive.
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { Piscina } from "piscina";
import type { AudioProbe } from "../audio/index.ts";
import { StillwaveError, UsageError } from "../errors.ts";
import type { DecodedBatch } from "./decode-batch.ts";
import type { PlannedBatch } from "./plan.ts";
import { probeFile } from "./worker.ts";

/** Threads without work end after this. Long enough to outlive the pause between two epochs. */
const IDLE_MS = 10_000;
const MAX_WORKERS = 64;

interface Pool {
  readonly threads: Piscina;
  /** Rejects if a thread cannot even start: piscina would leave the tasks waiting for ever. */
  readonly failed: Promise<never>;
}

const pools = new Map<number, Pool>();

/** @throws UsageError unless `workers` is an integer from 0 (decode in-process) to 64. */
export function checkWorkers(workers: number): void {
  if (!Number.isInteger(workers) || workers < 0 || workers > MAX_WORKERS) {
    throw new UsageError(`workers: expected an integer from 0 (no threads) to ${MAX_WORKERS}, got ${workers}`);
  }
}

function poolOf(workers: number): Pool {
  const existing = pools.get(workers);
  if (existing) return existing;
  // this file is .ts in a checkout, and .js where it was compiled; its neighbour is the same
  const extension = extname(fileURLToPath(import.meta.url));
  const filename = fileURLToPath(new URL(`./worker${extension}`, import.meta.url));
  const threads = new Piscina({
    filename,
    minThreads: 0,
    maxThreads: workers,
    idleTimeout: IDLE_MS,
    atomics: "disabled",
    execArgv: extension === ".ts" ? ["--import", new URL("./typescript-in-threads.js", import.meta.url).href] : [],
  });
  const failed = new Promise<never>((_, reject) => {
    threads.once("error", (error) => {
      pools.delete(workers);
      reject(error);
      threads.on("error", () => {});
      threads.destroy().catch(() => {});
    });
  });
  failed.catch(() => {});
  const pool = { threads, failed };
  pools.set(workers, pool);
  return pool;
}

async function runOnThread<T>(name: string, task: unknown, workers: number, signal?: AbortSignal): Promise<T> {
  const { threads, failed } = poolOf(workers);
  return Promise.race([threads.run(task, { name, ...(signal && { signal }) }) as Promise<T>, failed]);
}

/** Ends all threads now. They start again when needed. */
export async function closeDecodingThreads(): Promise<void> {
  const open = [...pools.values()];
  pools.clear();
  await Promise.all(open.map(({ threads }) => threads.destroy()));
}

/** Decodes one batch on one of `workers` threads; `signal` ends it, and its thread, early. */
export async function decodeInWorker(plan: PlannedBatch, workers: number, signal: AbortSignal): Promise<DecodedBatch> {
  try {
    return await runOnThread<DecodedBatch>("decodePlanned", plan, workers, signal);
  } catch (error) {
    if (signal.aborted || error instanceof StillwaveError) throw error;
    const paths = plan.items.map(({ path }) => `  ${path}`).join("\n");
    throw new StillwaveError(
      `a decoding thread ended without a result (${(error as Error).message}); one of these files may be the cause (workers: 0 decodes without threads)\n${paths}`,
    );
  }
}

/** Lengths of files, by decoding them. In order; a bad file gives its reason. */
export async function probeInWorkers(
  paths: readonly string[],
  workers: number,
  onDone: () => void,
): Promise<(AudioProbe | { reason: string })[]> {
  checkWorkers(workers);
  const results: (AudioProbe | { reason: string })[] = new Array(paths.length);
  let next = 0;
  const lane = async () => {
    while (next < paths.length) {
      const i = next++;
      results[i] = workers === 0 ? await probeFile(paths[i]) : await probeOnThread(paths[i], workers);
      onDone();
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, workers) }, lane));
  return results;
}

async function probeOnThread(path: string, workers: number): Promise<AudioProbe | { reason: string }> {
  try {
    return await runOnThread<AudioProbe | { reason: string }>("probeFile", path, workers);
  } catch (error) {
    return { reason: `its decoding thread ended without a result (${(error as Error).message})` };
  }
}
