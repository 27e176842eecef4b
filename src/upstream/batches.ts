// Which utterances may share a batch, and which are too long for this machine.
import { SAMPLE_RATE_HZ } from "../audio/index.ts";
import { describeLimit, gib, memoryLimit } from "../memory.ts";
import { alignedSamples, frameCount, type ModelConfig } from "../models/config.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { ShapeLadder } from "../runtime/shape-ladder.ts";

/** Attention maps of one layer, with room for a second copy, may take this share of the memory there is. */
const MEMORY_SHARE = 0.5;

/** Memory of the process above which what is compiled for inference is made anew. */
const RECYCLE_ABOVE_BYTES = Math.min(2 * 2 ** 30, memoryLimit().bytes / 2);

/** Whether this process has grown so large that arenas should be freed. */
export const hasGrown = () => process.memoryUsage.rss() >= RECYCLE_ABOVE_BYTES;

/** Under official semantics utterances of a batch see each other's maps (arXiv:2305.11685, released code). */
export const mixesUtterances = ({ reuse, attentionFrom }: ModelConfig) =>
  reuse === "official" && attentionFrom.some((source, layer) => source !== layer);

/**
 * What keeps `items` waveforms padded to `samples` from running here, or undefined: attention needs memory with the square
 * of the length. `remedy`: what the message advises.
 */
export function memoryProblem(
  { conv, heads }: ModelConfig,
  samples: number,
  { items = 1, remedy = "cut it first" } = {},
): string | undefined {
  const bytes = 2 * 4 * items * heads * frameCount(conv, samples) ** 2;
  const limit = memoryLimit();
  if (bytes <= MEMORY_SHARE * limit.bytes) return undefined;
  const seconds = `${(samples / SAMPLE_RATE_HZ).toFixed(0)} s`;
  return `${seconds}: its attention maps need ${gib(bytes)}, ${describeLimit(limit)} (half of it is for maps); ${remedy}`;
}

/** The sizes that batches are enlarged to, where a runtime compiles for each and the model keeps utterances apart. */
export const shapesFor = (config: ModelConfig, { compilesShapes }: Runtime): ShapeLadder | undefined =>
  compilesShapes && !mixesUtterances(config)
    ? new ShapeLadder((samples) => alignedSamples(config.conv, samples))
    : undefined;
