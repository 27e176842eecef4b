// Threads that decode audio: started when first needed, shared by all readers, gone when idle; they never keep a process alive.
import { createRequire } from "node:module";
import { extname } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Piscina } from "piscina";
import type { AudioProbe } from "../audio/index.ts";
import { StillwaveError, UsageError } from "../errors.ts";
import type { DecodedBatch } from "./decode-batch.ts";
import type { PlannedBatch } from "./plan.ts";
import { probeFile } from "./worker.ts";

/** Threads without work end after this. Long enough to outlive the pause between two epochs. */
const IDLE_MS = 10_000;
const MAX_WORKERS = 64;

const pools = new Map<number, Piscina>();

/** @throws UsageError unless `workers` is an integer from 0 (decode in-process) to 64. */
export function checkWorkers(workers: number): void {
  if (!Number.isInteger(workers) || workers < 0 || workers > MAX_WORKERS) {
    throw new UsageError(`workers: expected an integer from 0 (no threads) to ${MAX_WORKERS}, got ${workers}`);
  }
}

function poolOf(workers: number): Piscina {
  const existing = pools.get(workers);
  if (existing) return existing;
  // this file is .ts in a checkout, and .js where it was compiled; its neighbour is the same
  const extension = extname(fileURLToPath(import.meta.url));
  const filename = fileURLToPath(new URL(`./worker${extension}`, import.meta.url));
  const pool = new Piscina({
    filename,
    minThreads: 0,
    maxThreads: workers,
    idleTimeout: IDLE_MS,
    atomics: "disabled",
    execArgv:
      extension === ".ts" ? ["--import", pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href] : [],
  });
  // a thread that cannot start or dies while idle: its tasks, if any, are rejected, which is where it is reported
  pool.on("error", () => {});
  pools.set(workers, pool);
  return pool;
}

/** Ends all threads now. They start again when needed. */
export async function closeDecodingThreads(): Promise<void> {
  const open = [...pools.values()];
  pools.clear();
  await Promise.all(open.map((pool) => pool.destroy()));
}

/** Decodes one batch on one of `workers` threads; `signal` ends it, and its thread, early. */
export async function decodeInWorker(plan: PlannedBatch, workers: number, signal: AbortSignal): Promise<DecodedBatch> {
  try {
    return await poolOf(workers).run(plan, { name: "decodePlanned", signal });
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
    return await poolOf(workers).run(path, { name: "probeFile" });
  } catch (error) {
    return { reason: `its decoding thread ended without a result (${(error as Error).message})` };
  }
}
