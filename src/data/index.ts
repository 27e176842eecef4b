// Corpora of speech: opened from folders and manifests, planned into batches, read ahead in threads.
export type { BadFile, OnBadFile } from "./bad-files.ts";
export type { Batch } from "./batch.ts";
export { type Corpus, type OpenCorpusOptions, openCorpus, type Utterance } from "./corpus.ts";
export { type EpochPlanOptions, type PlannedBatch, type PlannedItem, planEpoch } from "./plan.ts";
export { closeDecodingThreads } from "./pool.ts";
export { type PrefetchedBatch, type PrefetchOptions, prefetchBatches } from "./prefetch.ts";
export { type CorpusKind, type CorpusSource, folder, librispeech, manifest } from "./source.ts";
