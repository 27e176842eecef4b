// ASR, speech recognition: a bidirectional LSTM head trained with CTC over characters, scored by the word error rate.
import { StillwaveError } from "../../errors.ts";
import { openAlphabet } from "../labels/alphabet.ts";
import { characterText } from "../labels/vocabulary.ts";
import type { DataSettings } from "../recipe/schema.ts";
import { labelledSplits, listUtterances } from "./splits.ts";
import { listed } from "./submission.ts";
import type { Task } from "./task.types.ts";

const SPECIAL = ["<s>", "<pad>", "</s>"];
const SEARCH = ["beam", "tokenBeam", "threshold", "lm", "lexicon", "lmWeight", "wordScore"].map(
  (key) => `decoding.${key}`,
);

const load = (data: DataSettings) =>
  labelledSplits(data, async (utterances, { train }) => {
    const mute = utterances.filter(({ transcript }) => !transcript?.trim());
    if (mute.length > 0)
      throw new StillwaveError(
        `${data.root}: no transcript of ${listUtterances(mute)}; expected <speaker>-<chapter>.trans.txt beside them, or a column text of the manifest`,
      );
    const alphabet = await openAlphabet(
      data.symbols,
      train.map(({ transcript = "" }) => transcript),
    );
    const { vocabulary } = alphabet;
    return {
      notes: () => alphabet.notes().map((text) => `${data.root}: ${text}`),
      objective: { kind: "ctc", text: "characters", symbols: vocabulary.symbols, special: SPECIAL },
      of({ id, transcript = "" }) {
        try {
          const label = alphabet.labels(transcript);
          return { label, reference: characterText(label, vocabulary) };
        } catch (error) {
          if (!(error instanceof StillwaveError)) throw error;
          throw new StillwaveError(`${data.root}: transcript of ${id}: ${error.message}`);
        }
      },
    };
  });

export const asr: Task = {
  submission: listed("test-clean-noLM-hyp.ark"),
  title: "speech recognition",
  summary: "WER of a bidirectional LSTM head",
  example: "--upstream facebook/hubert-base-ls960 --data LibriSpeech --lm 4-gram.arpa.gz",
  metric: { name: "WER", score: "wer", isHigherBetter: false },
  unit: "word",
  settings: ["data.splits", "data.symbols", "head.hidden", "head.stack", "training.specAugment", ...SEARCH],
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
