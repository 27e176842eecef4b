// Words as symbols of CTC: those of the training text, for corpora of few words.

import { StillwaveError } from "../errors.ts";
import { Vocabulary } from "../superb/labels/vocabulary.ts";
import { asr } from "../superb/tasks/asr.ts";
import { labelledSplits, listUtterances } from "../superb/tasks/splits.ts";
import type { Task } from "../superb/tasks/task.types.ts";
import { tokensOf } from "../tokens.ts";

const BLANK = "<blank>";
const UNKNOWN = "<unk>";
/** A head with more outputs than this learns none of them from the speech that fits one machine. */
const MOST_WORDS = 20_000;

const wordsOf = (transcript = ""): string[] => tokensOf(transcript.normalize("NFC").toUpperCase());

/** Speech recognition whose symbols are whole words. Words that training never has count as <unk>. */
export const words: Task = {
  ...asr,
  settings: asr.settings.filter((name) => name === "data.splits" || !name.startsWith("data.")),
  load: (data) =>
    labelledSplits(data, async (utterances, { train }) => {
      const mute = utterances.filter(({ transcript }) => !transcript?.trim());
      if (mute.length > 0)
        throw new StillwaveError(
          `${data.root}: no transcript of ${listUtterances(mute)}; expected <speaker>-<chapter>.trans.txt beside them, or a column text of the manifest`,
        );
      const known = [...new Set(train.flatMap(({ transcript }) => wordsOf(transcript)))].sort();
      if (known.length > MOST_WORDS)
        throw new StillwaveError(
          `${data.root}: the training text has ${known.length} different words, more than ${MOST_WORDS}; train on letters (target: letters)`,
        );
      const vocabulary = new Vocabulary([BLANK, UNKNOWN, ...known], [BLANK]);
      const unknown = vocabulary.ids.get(UNKNOWN)!;
      let unseen = 0;
      return {
        objective: { kind: "ctc", text: "words", symbols: vocabulary.symbols, special: [BLANK] },
        notes: () =>
          unseen > 0 ? [`${data.root}: ${unseen} words of dev and test that training never has count as wrong`] : [],
        of({ transcript }) {
          const spoken = wordsOf(transcript);
          const label = spoken.map((word) => vocabulary.ids.get(word) ?? unknown);
          unseen += label.filter((id) => id === unknown).length;
          return { label, reference: spoken.join(" ") };
        },
      };
    }),
};
