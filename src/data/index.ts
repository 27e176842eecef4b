// Corpora of speech: opened from folders and manifests, planned into batches, read ahead in threads.
export type { Segment } from "../audio/segment.ts";
export type { BadFile, OnBadFile } from "./bad-files.ts";
export type { Batch } from "./batch.ts";
export { type OpenCorpusOptions, openCorpus } from "./corpus.ts";
export type { Corpus, CorpusKind, CorpusSource, PlannedBatch, PlannedItem, Utterance } from "./corpus.types.ts";
export { type KeepOptions, type KeptSpeech, openKept } from "./kept/kept-speech.ts";
export { folder, librispeech, manifest } from "./list/source.ts";
export type { Rung } from "./planning/ladder.ts";
export { type EpochPlanOptions, planEpoch } from "./planning/plan.ts";
export { closeDecodingThreads } from "./pool.ts";
export { type PrefetchedBatch, type PrefetchOptions, prefetchBatches } from "./prefetch.ts";
export type { Making } from "./recording.ts";
