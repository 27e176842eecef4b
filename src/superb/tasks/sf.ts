// SF, slot filling: what is said and which parts of it are values of which slot, by CTC over letters and marks around values.
import { existsSync } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { StillwaveError } from "../../errors.ts";
import type { PerSplit } from "../labels/classes.ts";
import { NO_SLOT, printSlots, slotLabels, slotVocabulary } from "../labels/slots/slot-text.ts";
import { isSnips, readSlotTable, readSnips, type SlottedCorpus } from "../labels/slots/snips.ts";
import type { TaskUtterance } from "../labels/utterance.types.ts";
import type { DataSettings } from "../recipe/schema.ts";
import { asr } from "./asr.ts";
import { fitsOf } from "./files.ts";
import { perSplit, refuseShared, taskData } from "./splits.ts";
import { listed } from "./submission.ts";
import type { Task, TaskData } from "./task.types.ts";

async function corpusOf(root: string): Promise<SlottedCorpus> {
  const isFile = (await stat(root).catch(() => undefined))?.isFile() === true;
  const table = isFile ? root : join(root, "labels.tsv");
  if (!isFile && isSnips(root)) return readSnips(root);
  if (existsSync(table)) return readSlotTable(table);
  throw new StillwaveError(
    `${root}: no sentences with slots; expected all.iob.snips.txt, slots.txt and folders train, valid and test of Audio SNIPS, or labels.tsv with columns file, split, text and slots`,
  );
}

async function load({ root, onBadFile }: DataSettings): Promise<TaskData> {
  const { slots, files, notes } = await corpusOf(root);
  const { fits, badFiles, fileNotes } = await fitsOf(files, onBadFile);
  const vocabulary = slotVocabulary(slots);
  const utterances = perSplit((split) =>
    files.flatMap((file): TaskUtterance[] => {
      const fit = fits.get(file);
      if (!fit || file.split !== split) return [];
      const label = slotLabels(file.words, file.slots, vocabulary);
      return [{ id: file.id, path: file.path, ...fit, label, reference: printSlots(label, vocabulary) }];
    }),
  );
  refuseUnscored(root, utterances);
  refuseShared(root, utterances);
  const unknown = files.filter(({ words }) => words.some((word) => /[^A-Z'?!.,;&-]/.test(word))).length;
  const spelling =
    unknown > 0 ? [`${root}: ${unknown} sentences have letters beyond A to Z and ', which count as <unk>`] : [];
  const objective = { kind: "ctc", text: "slots", symbols: vocabulary.symbols, special: ["<pad>", "<eos>"] } as const;
  const parts = { root, utterances, objective, badFiles, notes: [...notes, ...fileNotes, ...spelling] };
  return taskData(parts, { train: "train", dev: "valid", test: "test" });
}

/** @throws StillwaveError for a split without utterances, or one on which nothing can be scored */
function refuseUnscored(root: string, utterances: PerSplit<readonly TaskUtterance[]>): void {
  for (const [split, list] of Object.entries(utterances)) {
    if (list.length === 0)
      throw new StillwaveError(`${root}: no recordings of the split ${split}; train, dev (valid) and test are needed`);
    if (!list.some(({ reference }) => /B-\S+ .+? E-/.test(reference)))
      throw new StillwaveError(
        `${root}: no sentence of the split ${split} has a slot (all its words are ${NO_SLOT}); there is nothing to fill or to score`,
      );
  }
}

export const sf: Task = {
  title: "slot filling",
  summary: "slot-type F1 and slot-value CER of a bidirectional LSTM head",
  example: "--upstream runs/quickstart/best --data SNIPS",
  metric: { name: "F1", score: "f1", isHigherBetter: true },
  otherMetrics: [{ name: "CER", score: "cer", isHigherBetter: false }],
  unit: "slot",
  settings: [
    "head.hidden",
    "head.stack",
    "training.specAugment",
    "decoding.beam",
    "decoding.tokenBeam",
    "decoding.threshold",
  ],
  recipe: {
    learningRates: [1e-4],
    updates: 200_000,
    batchSize: 32,
    accumulate: 1,
    clip: 1,
    evaluateEvery: 2000,
    warmup: 1400,
    batching: "windows",
    halveAboveSamples: 300_000,
    specAugment: true,
  },
  head: asr.head,
  load,
  submission: listed("test-hyp.ark"),
};
