// Which utterances may share a batch, and which are too long for this machine.
import { totalmem } from "node:os";
import { SAMPLE_RATE_HZ } from "../audio/index.ts";
import { frameCount, type ModelConfig } from "../models/config.ts";

/** Attention maps of one layer, with room for a second copy, may take this share of the machine's memory. */
const MEMORY_SHARE = 0.5;

/** Under official semantics utterances of a batch see each other's maps (arXiv:2305.11685, released code). */
export const mixesUtterances = ({ reuse, attentionFrom }: ModelConfig) =>
  reuse === "official" && attentionFrom.some((source, layer) => source !== layer);

/**
 * What keeps `items` waveforms padded to `samples` from running here, or undefined: attention needs memory with the square
 * of the length.
 */
export function memoryProblem({ conv, heads }: ModelConfig, samples: number, items = 1): string | undefined {
  const bytes = 2 * 4 * items * heads * frameCount(conv, samples) ** 2;
  if (bytes <= MEMORY_SHARE * totalmem()) return undefined;
  const gib = (count: number) => `${(count / 2 ** 30).toFixed(0)} GiB`;
  return `${(samples / SAMPLE_RATE_HZ).toFixed(0)} s: its attention maps need ${gib(bytes)}, this machine has ${gib(totalmem())}; cut it first`;
}
