// PR, phoneme recognition: a linear head on every frame, trained with CTC, scored by the phone error rate.
import { existsSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Utterance } from "../../data/index.ts";
import { StillwaveError } from "../../errors.ts";
import { listedPhones, pronounce, readLexicon, readPhones } from "../labels/lexicon.ts";
import { phoneLabels, phoneVocabulary, phoneVocabularyOf } from "../labels/vocabulary.ts";
import type { DataSettings } from "../recipe/schema.ts";
import { labelledSplits, listUtterances } from "./splits.ts";
import { listed } from "./submission.ts";
import type { Task } from "./task.types.ts";

const SPECIAL = ["<pad>", "<eos>"];

/**
 * Phones of every utterance and the vocabulary: from lexicon files (the benchmark's 74 symbols, or 44 without stress), or
 * from the list (fairseq's .phn) or phones.txt, whose phones make the vocabulary.
 */
async function phonesOf(data: DataSettings, utterances: readonly Utterance[]) {
  const { root, lexicon = [], stress } = data;
  if (lexicon.length > 0) {
    const mute = utterances.filter(({ transcript }) => !transcript);
    if (mute.length > 0)
      throw new StillwaveError(
        `${root}: no transcript of ${listUtterances(mute)}; a lexicon needs <chapter>.trans.txt, or a column text of the manifest`,
      );
    const spoken = utterances.map(({ id, transcript }) => ({ id, transcript: transcript! }));
    const vocabulary = phoneVocabulary(stress ?? "stressed");
    return { phones: pronounce(spoken, await readLexicon(lexicon), vocabulary, stress ?? "stressed"), vocabulary };
  }
  if (!data.phones && utterances.every(({ phones }) => phones?.trim())) {
    const phones = new Map(utterances.map(({ id, phones = "" }) => [id, listedPhones(phones, stress ?? "stressed")]));
    return { phones, vocabulary: phoneVocabularyOf(phones.values()) };
  }
  const folder = statSync(root).isFile() ? dirname(root) : root;
  const file = data.phones ?? join(folder, "phones.txt");
  if (!data.phones && !existsSync(file))
    throw new StillwaveError(`${file}: not there; give the corpus's phones with --phones <file> or --lexicon <file>`);
  const phones = await readPhones(file, stress ?? "stressed");
  const missing = utterances.filter(({ id }) => !phones.has(id));
  if (missing.length > 0) throw new StillwaveError(`${file}: no phones of ${listUtterances(missing)}`);
  return { phones, vocabulary: phoneVocabularyOf(utterances.map(({ id }) => phones.get(id)!)) };
}

const load = (data: DataSettings) =>
  labelledSplits(data, async (utterances) => {
    const { phones, vocabulary } = await phonesOf(data, utterances);
    return {
      objective: { kind: "ctc", text: "phones", symbols: vocabulary.symbols, special: SPECIAL },
      of({ id }) {
        const spoken = phones.get(id) ?? [];
        return { label: phoneLabels(spoken, vocabulary), reference: spoken.join(" ") };
      },
    };
  });

export const pr: Task = {
  submission: listed("test-hyp.ark"),
  title: "phoneme recognition",
  summary: "PER of a linear head",
  example: "--upstream runs/quickstart/best --data LibriSpeech --lexicon lexicon.txt",
  metric: { name: "PER", score: "per", isHigherBetter: false },
  unit: "phone",
  settings: [
    "data.splits",
    "data.lexicon",
    "data.phones",
    "data.stress",
    "decoding.decoder",
    "decoding.beam",
    "decoding.tokenBeam",
    "decoding.threshold",
  ],
  recipe: {
    learningRates: [1e-2],
    updates: 100_000,
    batchSize: 16,
    accumulate: 2,
    clip: 1,
    evaluateEvery: 1000,
    warmup: 1400,
    batching: "length",
    halveAboveSamples: 300_000,
    specAugment: false,
  },
  head: (outputs, { projection = 256, normalizeStates = false }) => ({
    kind: "frames",
    projection,
    outputs,
    normalizeStates,
  }),
  load,
};
