// Labelled speech as fine-tuning takes it: batches of waveforms by epoch and index, in a fixed order.
import { SAMPLE_RATE_HZ } from "../audio/index.ts";
import { describeBad } from "../data/bad-files.ts";
import {
  closeDecodingThreads,
  type KeptSpeech,
  openKept,
  type PlannedBatch,
  planEpoch,
  prefetchBatches,
} from "../data/index.ts";
import { recordingKey } from "../data/recording.ts";
import type { SpeechBatch } from "../distill/shares.ts";
import type { TrainingSpeech } from "../distill/speech.ts";
import { StillwaveError } from "../errors.ts";
import { Random } from "../random.ts";
import type { PerSplit } from "../superb/labels/classes.ts";
import type { TaskUtterance } from "../superb/labels/utterance.types.ts";
import { listSome } from "../tokens.ts";
import type { FinetuneRecipe } from "./recipe/schema.ts";

export interface LabelledSpeech {
  readonly train: TrainingSpeech;
  /** Batches of a list of utterances, shortest first. */
  evaluation(utterances: readonly TaskUtterance[]): AsyncIterable<SpeechBatch>;
  close(): Promise<void>;
}

/** Evaluation needs no gradients: a batch may be larger than one of training. */
const EVALUATION_SECONDS = 60;

export interface SpeechOptions {
  readonly utterances: PerSplit<readonly TaskUtterance[]>;
  /** Folder for decoded speech where it is kept on disk. */
  readonly keptFolder: string;
  readonly onNote: (text: string) => void;
}

/** A list that an epoch is planned of: an utterance of which a random part is taken is as long as that part. */
const lengths = (utterances: readonly TaskUtterance[]) =>
  utterances.map((one) => ({ ...one, samples: Math.min(one.samples, cropOf(one)) }));

const cropOf = ({ randomCropSeconds }: TaskUtterance): number =>
  randomCropSeconds === undefined ? Number.POSITIVE_INFINITY : Math.round(randomCropSeconds * SAMPLE_RATE_HZ);

/** The plan with the parts of those utterances placed. */
function placed(
  plan: readonly PlannedBatch[],
  whole: ReadonlyMap<string, TaskUtterance>,
  random: (id: string) => Random,
): PlannedBatch[] {
  if ([...whole.values()].every((one) => one.randomCropSeconds === undefined)) return [...plan];
  return plan.map((batch) => ({
    ...batch,
    items: batch.items.map((item) => {
      const { samples } = whole.get(item.id) as TaskUtterance;
      if (samples === item.fileSamples) return item;
      return { ...item, start: random(item.id).integer(samples - item.samples + 1), fileSamples: samples };
    }),
  }));
}

/**
 * Utterances of `train` that are not too long to be trained on.
 * @throws StillwaveError where none is left
 */
export function trainable(
  train: readonly TaskUtterance[],
  { maxSeconds }: Pick<FinetuneRecipe["data"], "maxSeconds">,
  onNote: (text: string) => void,
): readonly TaskUtterance[] {
  if (maxSeconds === null) return train;
  const fits = (one: TaskUtterance) => Math.min(one.samples, cropOf(one)) <= maxSeconds * SAMPLE_RATE_HZ;
  const left = train.filter(fits);
  if (left.length === 0)
    throw new StillwaveError(
      `data.maxSeconds: all ${train.length} utterances of train are longer than ${maxSeconds} s`,
    );
  if (left.length < train.length) {
    const long = train.filter((one) => !fits(one)).map(({ id }) => id);
    onNote(
      `${long.length} of ${train.length} utterances are longer than ${maxSeconds} s and are not trained on: ${listSome(long, 5)}`,
    );
  }
  return left;
}

export async function openSpeech(
  { data, run }: Pick<FinetuneRecipe, "data" | "run">,
  { utterances, keptFolder, onNote }: SpeechOptions,
): Promise<LabelledSpeech> {
  const { seed, onBadFile } = data;
  const workers = data.workers ?? 1;
  const speech = [...utterances.train, ...utterances.dev];
  const mode = data.keepDecoded === "auto" && run.epochs === 1 ? "none" : data.keepDecoded;
  const kept = await openKept({ mode, speech, folder: keptFolder, onNote });
  const sizes = { batchSize: data.batchSize ?? undefined, batchSeconds: data.batchSeconds ?? undefined };
  const byId = new Map(speech.map((one) => [one.id, one]));
  const train = lengths(utterances.train);
  const planOf = (epoch: number) =>
    placed(
      planEpoch({ utterances: train }, { ...sizes, seed, epoch, shuffle: true }),
      byId,
      (id) => new Random(seed, "crop", epoch, id),
    );
  const seen = new Set<string>();
  const read = async function* (plan: readonly PlannedBatch[], from: number, keeping: KeptSpeech | undefined) {
    for await (const { batch, bad } of prefetchBatches(plan, { onBadFile, workers, ahead: 4, from, kept: keeping })) {
      for (const file of bad) if (!seen.has(recordingKey(file))) onNote(`left out: ${describeBad(file)}`);
      for (const file of bad) seen.add(recordingKey(file));
      yield batch;
    }
  };
  const batchesPerEpoch = planOf(0).length;
  return {
    train: { batchesPerEpoch, batches: (epoch, from) => read(planOf(epoch), from, kept) },
    evaluation(list) {
      const longest = list.reduce((most, { samples }) => Math.max(most, samples), 0) / SAMPLE_RATE_HZ;
      const whole = new Map(list.map((one) => [one.id, one]));
      const batchSeconds = Math.max(EVALUATION_SECONDS, longest);
      const plan = planEpoch(
        { utterances: lengths(list) },
        { batchSeconds, batchSize: 64, seed, epoch: 0, shuffle: false },
      );
      return read(
        placed(plan, whole, (id) => new Random(0, "evaluate", id)),
        0,
        kept,
      );
    },
    async close() {
      await closeDecodingThreads();
      kept?.close();
    },
  };
}
