// Where batches are computed: one after another with all cores, or side by side on threads with a share of them each.
import type { PlannedBatch } from "../data/index.ts";
import { entryBeside, ThreadDeath, Threads } from "../data/threads.ts";
import { StillwaveError } from "../errors.ts";
import { memoryLimit } from "../memory.ts";
import type { ModelConfig } from "../models/config.ts";
import type { ModelWeights } from "../models/parameters.ts";
import type { PaddedWaveforms } from "../models/waveform.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { hasGrown, shapesFor } from "../upstream/batches.ts";
import { createModel } from "../upstream/model.ts";
import { type BatchStates, batchStates, type StatesWanted } from "./batch-states.ts";

/** Weights that every lane may have a copy of. Products of larger models keep several cores busy by themselves. */
const MAX_COPIED_BYTES = 2 ** 27;

/** Of the memory that there is, what all lanes together may take. */
const MEMORY_SHARE = 0.5;
const LARGEST_TENSORS = 5;

export interface Lanes {
  /** Batches that are worth having in work at a time. */
  readonly inWork: number;
  compute(batch: PaddedWaveforms): Promise<BatchStates>;
  close(): Promise<void>;
}

/** What a lane starts from. */
export interface LaneData {
  readonly model: Pick<ModelWeights, "config" | "parameters">;
  readonly wanted: StatesWanted;
  readonly threads: number;
}

/**
 * As many lanes as the runtime has threads, as far as there are batches and memory for them, where the model is small: its
 * products are too small to share, while between them every thread has something else to do. Numbers are the same either way.
 */
export function openLanes(
  { config, parameters }: ModelWeights,
  runtime: Runtime,
  wanted: StatesWanted,
  plan: readonly PlannedBatch[],
): Lanes {
  const { threads = 1 } = runtime;
  const bytes = [...parameters.values()].reduce((sum, { data }) => sum + data.byteLength, 0);
  const fitting = Math.floor((MEMORY_SHARE * memoryLimit().bytes) / (bytes + workingBytes(config, plan)));
  const lanes = Math.min(threads, plan.length, fitting);
  if (lanes < 2 || bytes > MAX_COPIED_BYTES) return oneLane({ config, parameters }, runtime, wanted, plan);
  const data: LaneData = { model: { config, parameters }, wanted, threads: Math.floor(threads / lanes) };
  const pool = new Threads<PaddedWaveforms, BatchStates>(entryBeside("lane", import.meta.url), { most: lanes, data });
  return {
    // one more waits, so that a lane need not
    inWork: lanes + 1,
    compute: ({ wave, paddedSamples, samples }) =>
      pool.run({ wave, paddedSamples, samples }, { transfer: [wave.buffer as ArrayBuffer] }).catch(deathInWords),
    close: () => pool.close(),
  };
}

/** What a lane's arena grows to, about: some tensors of the size that the first convolution gives. */
function workingBytes({ conv: [first] }: ModelConfig, plan: readonly PlannedBatch[]): number {
  const samples = plan.reduce((most, { items, paddedSamples }) => Math.max(most, items.length * paddedSamples), 0);
  return LARGEST_TENSORS * 4 * (samples / first.stride) * first.channels;
}

function deathInWords(error: unknown): never {
  if (!(error instanceof ThreadDeath)) throw error;
  throw new StillwaveError(
    `a computing thread ended without a result (${error.message}); --threads 1 (a runtime with one thread) computes without them`,
  );
}

/** One, or as many as the runtime has devices. */
function oneLane(weights: ModelWeights, runtime: Runtime, wanted: StatesWanted, plan: readonly PlannedBatch[]): Lanes {
  const model = createModel(weights, runtime, runtime.compilesShapes ? undefined : hasGrown);
  const shapes = shapesFor(weights.config, runtime);
  shapes?.expect(plan.map(({ items, paddedSamples }) => ({ items: items.length, length: paddedSamples })));
  return {
    inWork: runtime.inParallel ?? 1,
    compute: (batch) => batchStates(model, batch, wanted, shapes),
    close: () => model.dispose(),
  };
}
