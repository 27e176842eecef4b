// Training and validation speech as the training loop takes it: batches by epoch and index, in a fixed order.
import { describeBad } from "../data/bad-files.ts";
import {
  type Batch,
  type Corpus,
  closeDecodingThreads,
  openCorpus,
  type PlannedBatch,
  planEpoch,
  prefetchBatches,
} from "../data/index.ts";
import { listSome } from "../data/lines.ts";
import { MissingSplitError } from "../data/list/source.ts";
import { recordingKey, sharing } from "../data/recording.ts";
import { InternalError, StillwaveError } from "../errors.ts";
import type { Recipe } from "./recipe/schema.ts";

/** Batches of every epoch. The batch of (epoch, index) is always the same. */
export interface TrainingSpeech {
  readonly batchesPerEpoch: number;
  /** Batches `from`.. of `epoch`, in order; a batch of zero items where none of its files could be used. */
  batches(epoch: number, from: number): AsyncIterable<Batch>;
}

export interface ValidationSpeech {
  readonly utterances: number;
  batches(): AsyncIterable<Batch>;
}

/** What run.json says about a corpus; `fingerprint` decides whether a resumed run sees the same data. */
export interface CorpusRecord {
  readonly fingerprint: string;
  readonly utterances: number;
  readonly seconds: number;
  readonly badFiles: number;
}

export interface RunSpeech {
  readonly train: TrainingSpeech;
  readonly validation: ValidationSpeech | null;
  readonly records: { readonly train: CorpusRecord; readonly validation: CorpusRecord | null };
  close(): Promise<void>;
}

export interface OpenSpeechOptions {
  /** Fewest samples that give the student a frame. */
  readonly minSamples: number;
  /** Remembers file lengths between runs of one folder. */
  readonly cacheFile?: string;
  /** Told what opening finds, and each file that decoding finds to be bad under `onBadFile: skip`. */
  readonly onNote?: (text: string) => void;
}

/**
 * Opens a recipe's corpora.
 * @throws StillwaveError where a corpus is empty or bad
 */
export async function openSpeech(
  { data, run }: Pick<Recipe, "data" | "run">,
  { minSamples, cacheFile, onNote = () => {} }: OpenSpeechOptions,
): Promise<RunSpeech> {
  const { onBadFile, workers, seed } = data;
  const open = async ({ path, splits }: Recipe["data"]["train"], name: string, maxUtterances?: number) => {
    const cache = cacheFile === undefined ? undefined : `${cacheFile}.${name}.json`;
    const source = { path, splits: splits.length > 0 ? splits : undefined };
    const options = { onBadFile, minSamples, maxUtterances, cacheFile: cache };
    const corpus = await openCorpus(source, options).catch((error) => {
      throw error instanceof MissingSplitError ? withRemedy(error, name) : error;
    });
    for (const warning of corpus.warnings) onNote(warning);
    const [first] = corpus.badFiles;
    if (first) onNote(`data.${name}: ${corpus.badFiles.length} bad files left out, first ${describeBad(first)}`);
    return corpus;
  };
  const train = await open(data.train, "train");
  const validation =
    data.validation && (await open(data.validation, "validation", run.validationUtterances ?? undefined));
  if (validation) refuseShared(train, validation);
  const sizes = {
    batchSize: data.batchSize ?? undefined,
    batchSeconds: data.batchSeconds ?? undefined,
    maxSeconds: data.maxSeconds ?? undefined,
  };
  const seen = new Set<string>();
  const read = async function* (plan: readonly PlannedBatch[], from: number) {
    for await (const { batch, bad } of prefetchBatches(plan, { onBadFile, workers, from })) {
      for (const file of bad) if (!seen.has(recordingKey(file))) onNote(`left out: ${describeBad(file)}`);
      for (const file of bad) seen.add(recordingKey(file));
      yield batch;
    }
  };
  const planOf = (corpus: Corpus, epoch: number, shuffle: boolean) =>
    planEpoch(corpus, { ...sizes, seed, epoch, shuffle });
  const validationPlan = validation && planOf(validation, 0, false);
  return {
    train: {
      batchesPerEpoch: planOf(train, 0, true).length,
      batches: (epoch, from) => read(planOf(train, epoch, true), from),
    },
    validation: validationPlan && {
      utterances: validation.utterances.length,
      batches: () => read(validationPlan, 0),
    },
    records: { train: recordOf(train), validation: validation && recordOf(validation) },
    close: async () => closeDecodingThreads(),
  };
}

const withRemedy = ({ message }: MissingSplitError, name: string): StillwaveError =>
  new StillwaveError(
    `data.${name}: ${message}; the recipe's data.${name}.splits asks for it: name others, or take all of it with --set data.${name}.splits=[]`,
  );

/** @throws StillwaveError where validation has speech of the training set: its loss would say nothing of other speech. */
function refuseShared(train: Corpus, validation: Corpus): void {
  // equal fingerprints: the same files under another path
  const isCopy = train.fingerprint === validation.fingerprint;
  const shared = isCopy ? validation.utterances : sharing(train.utterances, validation.utterances);
  if (shared.length === 0) return;
  const names = listSome(
    shared.map(({ id }) => id),
    5,
  );
  throw new StillwaveError(
    `data.validation: ${shared.length} of its ${validation.utterances.length} utterances are in data.train too (${names}); a loss on them says nothing of other speech: name another folder or split, or set data.validation=null`,
  );
}

/** A batch and the epoch it belongs to (from 0). */
export interface EpochBatch {
  readonly epoch: number;
  readonly batch: Batch;
}

/** All batches of a run from its `first` micro-batch on, epoch after epoch, without end. */
export async function* epochBatches(
  speech: TrainingSpeech,
  first: number,
): AsyncGenerator<EpochBatch, never, undefined> {
  const { batchesPerEpoch } = speech;
  let index = first % batchesPerEpoch;
  for (let epoch = Math.floor(first / batchesPerEpoch); ; epoch++, index = 0) {
    for await (const batch of speech.batches(epoch, index)) {
      yield { epoch, batch };
      index++;
    }
    if (index !== batchesPerEpoch)
      throw new InternalError(`epoch ${epoch} ended after ${index} of ${batchesPerEpoch} batches`);
  }
}

function recordOf(corpus: Corpus): CorpusRecord {
  if (corpus.utterances.length === 0) throw new StillwaveError(`${corpus.root}: no utterances`);
  return {
    fingerprint: corpus.fingerprint,
    utterances: corpus.utterances.length,
    seconds: corpus.totalSeconds,
    badFiles: corpus.badFiles.length,
  };
}
