// The downstream heads of the benchmark, as data: what a run records and a saved head is made from again.
import { z } from "zod";

const count = z.int().min(1).max(1_000_000);

/** What a head reads: hidden states of a frozen upstream, combined by learned weights. */
export const headInputSchema = z.object({ layers: count, dim: count });

const own = {
  /** Symbols, classes or speakers. */
  outputs: count,
  /** Parameter-free LayerNorm of each hidden state before the weighted sum. */
  normalizeStates: z.boolean(),
};

const shared = {
  ...own,
  /** Width of the linear layer that the head begins with. */
  projection: count,
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

/** LSTM layers forward in time, Linear(hidden -> outputs) on every frame: diarisation. */
const lstm = z.object({ kind: z.literal("lstm"), ...own, hidden: count, lstmLayers: z.int().min(1).max(16) });

/**
 * Linear(dim -> projection), time-delay layers, mean and deviation, two rectified layers: an embedding of the voice. `outputs`
 * is the number of speakers that training tells apart by the angles between embeddings and a column for each.
 */
const xVector = z.object({
  kind: z.literal("xvector"),
  ...shared,
  /** Width of the time-delay layers but the last, and of the embedding. */
  hidden: count,
  /** Width of the last time-delay layer, which is pooled. */
  aggregation: count,
});

export const headConfigSchema = z.discriminatedUnion("kind", [frames, biLstm, utterance, lstm, xVector]);

export type HeadInput = Readonly<z.infer<typeof headInputSchema>>;
export type HeadConfig = Readonly<z.infer<typeof headConfigSchema>>;
export type XVectorHeadConfig = Extract<HeadConfig, { kind: "xvector" }>;
