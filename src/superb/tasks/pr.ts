// PR, phoneme recognition: a linear head on every frame, trained with CTC, scored by the phone error rate.
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Utterance } from "../../data/index.ts";
import { listSome } from "../../data/lines.ts";
import { StillwaveError } from "../../errors.ts";
import { pronounce, readLexicon, readPhones } from "../labels/lexicon.ts";
import { phoneLabels, phoneVocabulary, phoneVocabularyOf, type Vocabulary } from "../labels/vocabulary.ts";
import { everySplit, factsOf, fingerprintOf, openSplits, SPLITS } from "./splits.ts";
import type { CorpusOptions, Split, Task, TaskData, TaskUtterance } from "./task.types.ts";

const SPECIAL = ["<pad>", "<eos>"];

/**
 * Phones of every utterance and the vocabulary: from lexicon files (the benchmark's 74 symbols, or 44 without stress), or
 * from phones.txt, whose phones make the vocabulary.
 */
async function phonesOf(options: CorpusOptions, utterances: readonly Utterance[]) {
  const { root, lexicon = [], stress } = options;
  if (lexicon.length > 0) {
    const mute = utterances.filter(({ transcript }) => !transcript);
    if (mute.length > 0)
      throw new StillwaveError(`${root}: no transcript of ${listIds(mute)}; a lexicon needs <chapter>.trans.txt`);
    const spoken = utterances.map(({ id, transcript }) => ({ id, transcript: transcript! }));
    const phones = pronounce(spoken, await readLexicon(lexicon), stress ?? "stressed");
    return { phones, vocabulary: phoneVocabulary(stress ?? "stressed") };
  }
  const file =
    options.phones ?? join(root.endsWith(".tsv") || root.endsWith(".jsonl") ? dirname(root) : root, "phones.txt");
  if (!options.phones && !existsSync(file))
    throw new StillwaveError(`${file}: not there; give the corpus's phones with --phones <file> or --lexicon <file>`);
  const phones = await readPhones(file, stress ?? "stressed");
  const missing = utterances.filter(({ id }) => !phones.has(id));
  if (missing.length > 0) throw new StillwaveError(`${file}: no phones of ${listIds(missing)}`);
  return { phones, vocabulary: phoneVocabularyOf(utterances.map(({ id }) => phones.get(id)!)) };
}

const listIds = (list: readonly { readonly id: string }[]) =>
  `${list.length} utterances (${listSome(
    list.map(({ id }) => id),
    5,
  )})`;

async function load(options: CorpusOptions): Promise<TaskData> {
  const { utterances, names, badFiles, notes } = await openSplits(options);
  const { phones, vocabulary } = await phonesOf(options, everySplit(utterances));
  const labelled = (split: Split): TaskUtterance[] =>
    utterances[split].map(({ id, path, samples }) => labelOne(id, path, samples, phones.get(id)!, vocabulary));
  const all = { train: labelled("train"), dev: labelled("dev"), test: labelled("test") };
  const facts = SPLITS.map((split) => [split, factsOf(all[split], names[split])]);
  return {
    root: options.root,
    utterances: all,
    facts: Object.fromEntries(facts),
    objective: { kind: "ctc", text: "phones", symbols: vocabulary.symbols, special: SPECIAL },
    fingerprint: fingerprintOf(all),
    badFiles,
    notes,
  };
}

function labelOne(id: string, path: string, samples: number, phones: string[], vocabulary: Vocabulary): TaskUtterance {
  return { id, path, samples, label: phoneLabels(phones, vocabulary), reference: phones.join(" ") };
}

export const pr: Task = {
  name: "pr",
  title: "phoneme recognition",
  metric: { name: "PER", isHigherBetter: false },
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
