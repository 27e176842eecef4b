// Training and validation speech as the training loop takes it: batches by epoch and index, in a fixed order.
import {
  type BadFile,
  type Batch,
  type Corpus,
  closeDecodingThreads,
  openCorpus,
  type PlannedBatch,
  planEpoch,
  prefetchBatches,
} from "../../data/index.ts";
import { StillwaveError } from "../../errors.ts";
import type { Recipe } from "../recipe.ts";

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
  readonly notes: readonly string[];
  close(): Promise<void>;
}

export interface OpenSpeechOptions {
  /** Fewest samples that give the student a frame. */
  readonly minSamples: number;
  /** Remembers file lengths between runs of one folder. */
  readonly cacheFile?: string;
  /** Called once for each file that decoding finds to be bad under `onBadFile: skip`. */
  readonly onBadFile?: (file: BadFile) => void;
}

/**
 * Opens a recipe's corpora.
 * @throws StillwaveError where a corpus is empty or bad
 */
export async function openSpeech(recipe: Pick<Recipe, "data" | "run">, options: OpenSpeechOptions): Promise<RunSpeech> {
  const { data, run } = recipe;
  const notes: string[] = [];
  const open = async (source: Recipe["data"]["train"], name: string, maxUtterances?: number) => {
    const { path, splits } = source;
    const corpus = await openCorpus(
      { path, ...(splits.length > 0 && { splits }) },
      {
        onBadFile: data.onBadFile,
        minSamples: options.minSamples,
        maxUtterances,
        ...(options.cacheFile !== undefined && { cacheFile: `${options.cacheFile}.${name}.json` }),
      },
    );
    notes.push(...corpus.warnings);
    if (corpus.badFiles.length > 0)
      notes.push(
        `data.${name}: ${corpus.badFiles.length} bad files left out, first ${describeBad(corpus.badFiles[0])}`,
      );
    return corpus;
  };
  const train = await open(data.train, "train");
  const validation =
    data.validation && (await open(data.validation, "validation", run.validationUtterances ?? undefined));
  const sizes = {
    ...(data.batchSize !== null && { batchSize: data.batchSize }),
    ...(data.batchSeconds !== null && { batchSeconds: data.batchSeconds }),
  };
  const crop = data.maxSeconds === null ? {} : { maxSeconds: data.maxSeconds };
  const shared = { onBadFile: data.onBadFile, workers: data.workers };
  const seen = new Set<string>();
  const read = (plan: readonly PlannedBatch[], from: number) => ({
    async *[Symbol.asyncIterator]() {
      for await (const { batch, bad } of prefetchBatches(plan, { ...shared, from })) {
        for (const file of bad) if (!seen.has(file.path)) options.onBadFile?.(file);
        for (const file of bad) seen.add(file.path);
        yield batch;
      }
    },
  });
  const planOf = (corpus: Corpus, epoch: number, shuffle: boolean) =>
    planEpoch(corpus, { ...sizes, ...crop, seed: data.seed, epoch, shuffle });
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
    notes,
    close: async () => closeDecodingThreads(),
  };
}

/** `path: reason`. */
export const describeBad = ({ path, reason }: BadFile): string => `${path}: ${reason}`;

function recordOf(corpus: Corpus): CorpusRecord {
  if (corpus.utterances.length === 0) throw new StillwaveError(`${corpus.root}: no utterances`);
  return {
    fingerprint: corpus.fingerprint,
    utterances: corpus.utterances.length,
    seconds: corpus.totalSeconds,
    badFiles: corpus.badFiles.length,
  };
}
