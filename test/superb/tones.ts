// A corpus of tones with three classes and no dev split, for tasks that answer once an utterance.

import { sine, wav16 } from "../audio/signals.ts";
import { corpusOf } from "../data/corpora.ts";

/** `train/<class>/<n>.wav`, 14 each, and `test/<class>/<n>.wav`, 4 each; half a second and more of a pitch of the class. */
export function tonesCorpus(): string {
  const files: Record<string, Uint8Array> = {};
  for (const [name, hz] of Object.entries({ low: 300, middle: 1000, high: 3000 }))
    for (let i = 0; i < 18; i++) {
      const split = i < 14 ? "train" : "test";
      files[`${split}/${name}/${i}.wav`] = wav16(sine(hz * (1 + i / 200), 16_000, 8000 + 400 * i, 0.3 + i / 50));
    }
  return corpusOf(files);
}
