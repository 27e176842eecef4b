// ASR, speech recognition: a bidirectional LSTM head trained with CTC over characters, scored by the word error rate.

import { listSome } from "../../data/lines.ts";
import { StillwaveError } from "../../errors.ts";
import { characterLabels, characterText, characterVocabulary } from "../labels/vocabulary.ts";
import { everySplit, factsOf, fingerprintOf, openSplits, SPLITS } from "./splits.ts";
import type { CorpusOptions, Split, Task, TaskData, TaskUtterance } from "./task.types.ts";

const SPECIAL = ["<s>", "<pad>", "</s>"];

async function load(options: CorpusOptions): Promise<TaskData> {
  const { utterances, names, badFiles, notes } = await openSplits(options);
  const mute = everySplit(utterances).filter(({ transcript }) => !transcript?.trim());
  if (mute.length > 0) {
    const ids = mute.map(({ id }) => id);
    throw new StillwaveError(
      `${options.root}: no transcript of ${mute.length} utterances (${listSome(ids, 5)}); expected <speaker>-<chapter>.trans.txt beside them`,
    );
  }
  const vocabulary = characterVocabulary();
  const labelled = (split: Split): TaskUtterance[] =>
    utterances[split].map(({ id, path, samples, transcript }) => {
      try {
        const label = characterLabels(transcript!, vocabulary);
        return { id, path, samples, label, reference: characterText(label, vocabulary) };
      } catch (error) {
        if (!(error instanceof StillwaveError)) throw error;
        throw new StillwaveError(`${options.root}: transcript of ${id}: ${error.message}`);
      }
    });
  const all = { train: labelled("train"), dev: labelled("dev"), test: labelled("test") };
  return {
    root: options.root,
    utterances: all,
    facts: Object.fromEntries(SPLITS.map((split) => [split, factsOf(all[split], names[split])])) as TaskData["facts"],
    objective: { kind: "ctc", text: "characters", symbols: vocabulary.symbols, special: SPECIAL },
    fingerprint: fingerprintOf(all),
    badFiles,
    notes,
  };
}

export const asr: Task = {
  name: "asr",
  title: "speech recognition",
  metric: { name: "WER", isHigherBetter: false },
  recipe: {
    learningRates: [1e-4],
    updates: 200_000,
    // the reference asks for 32 and halves every batch longer than 2000 samples, which are all
    batchSize: 16,
    accumulate: 1,
    clip: 1,
    evaluateEvery: 2000,
    warmup: 1400,
    batching: "length",
    specAugment: true,
  },
  head: (outputs, { projection = 1024, hidden = 1024, stack = 1, normalizeStates = false }) => ({
    kind: "bilstm",
    projection,
    hidden,
    lstmLayers: 2,
    dropout: 0.2,
    stack,
    outputs,
    normalizeStates,
  }),
  load,
};
