// The decoding threads that all readers of a process share, and what a reader asks of them.
import { StillwaveError, UsageError } from "../errors.ts";
import type { DecodedBatch, PlannedBatch, ProbeResult } from "./corpus.types.ts";
import { probeRecording } from "./decode-batch.ts";
import type { Keeping } from "./kept/keeping.ts";
import type { RecordingPart } from "./recording.ts";
import { entryBeside, ThreadDeath, Threads } from "./threads.ts";

const MAX_WORKERS = 64;

export type DecodingTask =
  | { kind: "batch"; plan: PlannedBatch; keeping?: Keeping }
  | { kind: "probe"; recording: RecordingPart };
export type DecodingResult = DecodedBatch | ProbeResult;
type DecodingThreads = Threads<DecodingTask, DecodingResult>;

/** By number of threads. */
const pools = new Map<number, DecodingThreads>();

function poolOf(workers: number): DecodingThreads {
  const pool = pools.get(workers) ?? new Threads(entryBeside("worker", import.meta.url), { most: workers });
  pools.set(workers, pool);
  return pool;
}

/** @throws UsageError unless `workers` is an integer from 0 (decode in-process) to 64. */
export function checkWorkers(workers: number): void {
  if (!Number.isInteger(workers) || workers < 0 || workers > MAX_WORKERS) {
    throw new UsageError(`workers: expected an integer from 0 (no threads) to ${MAX_WORKERS}, got ${workers}`);
  }
}

/** Ends all decoding threads now, rather than when they have been idle for a while. They start again when needed. */
export async function closeDecodingThreads(): Promise<void> {
  const open = [...pools.values()];
  pools.clear();
  await Promise.all(open.map((pool) => pool.close()));
}

/** Decodes one batch on one of `workers` threads; `signal` ends it, and its thread, early. */
export async function decodeInWorker(
  task: { readonly plan: PlannedBatch; readonly keeping?: Keeping },
  workers: number,
  signal: AbortSignal,
): Promise<DecodedBatch> {
  try {
    return (await poolOf(workers).run({ kind: "batch", ...task }, { signal })) as DecodedBatch;
  } catch (error) {
    if (!(error instanceof ThreadDeath)) throw error;
    const paths = task.plan.items.map(({ path }) => `  ${path}`).join("\n");
    throw new StillwaveError(
      `a decoding thread ended without a result (${error.message}); one of these files may be the cause (workers: 0 decodes without threads)\n${paths}`,
    );
  }
}

/** Lengths of recordings, by decoding them. In order; a bad file gives its reason. */
export async function probeInWorkers(
  recordings: readonly RecordingPart[],
  workers: number,
  onDone: () => void,
): Promise<ProbeResult[]> {
  checkWorkers(workers);
  const results: ProbeResult[] = new Array(recordings.length);
  let next = 0;
  const lane = async () => {
    while (next < recordings.length) {
      const i = next++;
      results[i] = workers === 0 ? await probeRecording(recordings[i]) : await probeOnThread(recordings[i], workers);
      onDone();
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, workers) }, lane));
  return results;
}

async function probeOnThread(recording: RecordingPart, workers: number): Promise<ProbeResult> {
  try {
    return (await poolOf(workers).run({ kind: "probe", recording })) as ProbeResult;
  } catch (error) {
    if (!(error instanceof ThreadDeath)) throw error;
    return { reason: `its decoding thread ended without a result (${error.message})` };
  }
}
