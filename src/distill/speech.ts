// Training and validation speech as the training loop takes it: batches by epoch and index, in a fixed order.
import { describeBad } from "../data/bad-files.ts";
import {
  type Corpus,
  closeDecodingThreads,
  openCorpus,
  openKept,
  type PlannedBatch,
  planEpoch,
  prefetchBatches,
  type Rung,
} from "../data/index.ts";
import { MissingSplitError } from "../data/list/source.ts";
import { type BatchShape, describeLadder, makeLadder, shapesOf } from "../data/planning/ladder.ts";
import { recordingKey, sharing } from "../data/recording.ts";
import { InternalError, StillwaveError } from "../errors.ts";
import type { ProcessGroup } from "../processes/group.ts";
import { listSome } from "../tokens.ts";
import type { Recipe } from "./recipe/schema.ts";
import { readShares, type SpeechBatch, shareOfPlan } from "./shares.ts";

/** Batches of every epoch. The batch of (epoch, index) is always the same. */
export interface TrainingSpeech {
  readonly batchesPerEpoch: number;
  /** Batches `from`.. of `epoch`, in order; a batch of zero items where none of its files could be used. */
  batches(epoch: number, from: number): AsyncIterable<SpeechBatch>;
}

export interface ValidationSpeech {
  readonly utterances: number;
  batches(): AsyncIterable<SpeechBatch>;
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
  readonly records: {
    readonly train: CorpusRecord;
    readonly validation: CorpusRecord | null;
    /** Where the recipe asks for them: what batches are padded to. */
    readonly lengths?: readonly Rung[];
  };
  /** Where the recipe asks for lengths: all shapes of batches, the most frequent first. */
  readonly shapes?: readonly BatchShape[];
  close(): Promise<void>;
}

export interface OpenSpeechOptions {
  /** Fewest samples that give the student a frame. */
  readonly minSamples: number;
  /** Remembers file lengths between runs of one folder. */
  readonly cacheFile?: string;
  /** Rounds a padded length up to one that is computed fast; default: as it is. */
  readonly align?: (samples: number) => number;
  /** Folder for decoded speech; without it none is kept, whatever the recipe says. */
  readonly keptFolder?: string;
  /** Processes that share every batch. */
  readonly group?: ProcessGroup;
  /** Each of them reads whole batches: their items cannot be told apart. */
  readonly wholeBatches?: boolean;
  /** Told what opening finds, and each file that decoding finds to be bad under `onBadFile: skip`. */
  readonly onNote?: (text: string) => void;
}

/** Batches in hand: a device of 40 ms a step does not notice that a thread was held up for a tenth of a second. */
const LEAST_AHEAD = 4;

/**
 * Opens a recipe's corpora.
 * @throws StillwaveError where a corpus is empty or bad, its decoded speech does not fit where the recipe keeps it, or the
 * recipe's lengths do not hold it
 */
export async function openSpeech(recipe: Pick<Recipe, "data" | "run">, options: OpenSpeechOptions): Promise<RunSpeech> {
  const { data } = recipe;
  const { align, keptFolder: folder, group, wholeBatches, onNote = () => {} } = options;
  const { onBadFile, seed } = data;
  const workers = data.workers ?? 1;
  const train = await openNamed("train", data.train, recipe, options);
  const validation = data.validation && (await openNamed("validation", data.validation, recipe, options));
  if (validation) refuseShared(train, validation);
  const sizes = { batchSize: data.batchSize ?? undefined, batchSeconds: data.batchSeconds ?? undefined };
  const maxSeconds = data.maxSeconds ?? undefined;
  const speech = [...train.utterances, ...(validation?.utterances ?? [])];
  const rungs = data.lengths ? makeLadder(speech, { ...sizes, lengths: data.lengths, maxSeconds, align }) : undefined;
  const planOf = (corpus: Corpus, epoch: number, shuffle: boolean) =>
    planEpoch(corpus, { ...(rungs ? { rungs } : sizes), maxSeconds, seed, epoch, shuffle });
  const firstEpoch = planOf(train, 0, true);
  const validationPlan = validation && planOf(validation, 0, false);
  if (rungs) onNote(describeLadder(rungs, firstEpoch));
  const kept = folder === undefined ? undefined : await openKept({ mode: keptMode(recipe), speech, folder, onNote });
  const planned = [...firstEpoch, ...(validationPlan ?? [])];
  const ahead = Math.max(LEAST_AHEAD, workers + 1);
  const seen = new Set<string>();
  const prefetch = async function* (plan: readonly PlannedBatch[], from: number) {
    for await (const next of prefetchBatches(plan, { onBadFile, workers, ahead, from, kept })) {
      for (const file of next.bad) if (!seen.has(recordingKey(file))) onNote(`left out: ${describeBad(file)}`);
      for (const file of next.bad) seen.add(recordingKey(file));
      yield next;
    }
  };
  const sharing = group && { group, sharers: wholeBatches ? 1 : group.size };
  const read = (name: string, plan: readonly PlannedBatch[], from: number) =>
    readShares({ read: prefetch, name, onBadFile, sharing }, plan, from);
  return {
    train: {
      batchesPerEpoch: firstEpoch.length,
      batches: (epoch, from) => read(`${epoch}`, planOf(train, epoch, true), from),
    },
    validation: validationPlan && {
      utterances: validation.utterances.length,
      batches: () => read("validation", validationPlan, 0),
    },
    records: { train: recordOf(train), validation: validation && recordOf(validation), lengths: rungs },
    shapes: rungs && shapesOf(planned.map((batch) => (sharing ? shareOfPlan(batch, sharing) : batch))),
    async close() {
      await closeDecodingThreads();
      kept?.close();
    },
  };
}

/** What is read once need not be kept. */
const keptMode = ({ data, run }: Pick<Recipe, "data" | "run">) =>
  data.keepDecoded === "auto" && run.epochs === 1 ? "none" : data.keepDecoded;

/** One of a recipe's corpora. @throws StillwaveError where it is empty or bad */
export async function openNamed(
  name: "train" | "validation",
  { path, splits }: Recipe["data"]["train"],
  { data, run }: Pick<Recipe, "data" | "run">,
  { minSamples, cacheFile, onNote = () => {} }: OpenSpeechOptions,
): Promise<Corpus> {
  const source = { path, splits: splits.length > 0 ? splits : undefined };
  const corpus = await openCorpus(source, {
    onBadFile: data.onBadFile,
    minSamples,
    maxUtterances: name === "validation" ? (run.validationUtterances ?? undefined) : undefined,
    cacheFile: cacheFile === undefined ? undefined : `${cacheFile}.${name}.json`,
  }).catch((error) => {
    throw error instanceof MissingSplitError ? withRemedy(error, name) : error;
  });
  for (const warning of corpus.warnings) onNote(warning);
  const [first] = corpus.badFiles;
  if (first) onNote(`data.${name}: ${corpus.badFiles.length} bad files left out, first ${describeBad(first)}`);
  return corpus;
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
  readonly batch: SpeechBatch;
}

/** So many batches before the end of an epoch the next one is begun, so that nobody waits where they meet. */
const BEGUN_BEFORE_END = 2;

/** All batches of a run from its `first` micro-batch on, epoch after epoch, without end. */
export async function* epochBatches(
  speech: TrainingSpeech,
  first: number,
): AsyncGenerator<EpochBatch, never, undefined> {
  const { batchesPerEpoch } = speech;
  let index = first % batchesPerEpoch;
  let epoch = Math.floor(first / batchesPerEpoch);
  let current = begin(speech, epoch, index);
  let following: BegunEpoch | undefined;
  try {
    for (; ; epoch++, index = 0) {
      for (let next = await current.first; !next.done; next = await current.batches.next()) {
        index++;
        if (index >= batchesPerEpoch - BEGUN_BEFORE_END) following ??= begin(speech, epoch + 1, 0);
        yield { epoch, batch: next.value };
      }
      if (index !== batchesPerEpoch)
        throw new InternalError(`epoch ${epoch} ended after ${index} of ${batchesPerEpoch} batches`);
      current = following ?? begin(speech, epoch + 1, 0);
      following = undefined;
    }
  } finally {
    await current.batches.return?.();
    await following?.batches.return?.();
  }
}

/** An epoch whose first batch is on its way. */
interface BegunEpoch {
  readonly batches: AsyncIterator<SpeechBatch>;
  readonly first: Promise<IteratorResult<SpeechBatch>>;
}

function begin(speech: TrainingSpeech, epoch: number, from: number): BegunEpoch {
  const batches = speech.batches(epoch, from)[Symbol.asyncIterator]();
  const first = batches.next();
  // a failure is told when its turn comes; until then it must not count as unhandled
  first.catch(() => {});
  return { batches, first };
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
