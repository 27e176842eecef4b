// The downstream heads of the benchmark, as data: what a run records and a saved head is made from again.
import { z } from "zod";

const count = z.int().min(1).max(1_000_000);

/** What a head reads: hidden states of a frozen upstream, combined by learned weights. */
export const headInputSchema = z.object({ layers: count, dim: count });

const shared = {
  /** Width of the linear layer that every head begins with. */
  projection: count,
  /** Symbols or classes. */
  outputs: count,
  /** Parameter-free LayerNorm of each hidden state before the weighted sum. */
  normalizeStates: z.boolean(),
};

/** Linear(dim -> projection), Linear(projection -> outputs) on every frame: phoneme recognition. */
const frames = z.object({ kind: z.literal("frames"), ...shared });

/** Linear(dim -> projection), bidirectional LSTM layers, Linear(2 hidden -> outputs): speech recognition. */
const biLstm = z.object({
  kind: z.literal("bilstm"),
  ...shared,
  /** Per direction. */
  hidden: count,
  lstmLayers: z.int().min(1).max(16),
  /** After each LSTM layer. */
  dropout: z.number().min(0).lt(1),
  /** Neighbouring frames of the projected features that are read as one; 1 in the recipe. */
  stack: z.int().min(1).max(64),
});

/** Linear(dim -> projection), mean over true frames, Linear(projection -> outputs): one answer an utterance. */
const utterance = z.object({ kind: z.literal("utterance"), ...shared });

export const headConfigSchema = z.discriminatedUnion("kind", [frames, biLstm, utterance]);

export type HeadInput = Readonly<z.infer<typeof headInputSchema>>;
export type HeadConfig = Readonly<z.infer<typeof headConfigSchema>>;
export type BiLstmHeadConfig = Extract<HeadConfig, { kind: "bilstm" }>;
