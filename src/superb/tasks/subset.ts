// A corpus of which a part is used: for comparing models in minutes, not for results of the benchmark.
import { drawn } from "../labels/subset.ts";
import type { DataSettings } from "../recipe/schema.ts";
import { factsOf, fingerprintOf, perSplit } from "./splits.ts";
import type { TaskData } from "./task.types.ts";

/**
 * The corpus with at most so many utterances of each split, drawn by their ids, so that equal corpora and numbers are equal
 * parts. Splits that trials are made of stay whole: a part of the utterances would lose most of the trials.
 */
export function partOf(data: TaskData, most: DataSettings["most"]): TaskData {
  if (!most) return data;
  const utterances = perSplit((split) =>
    data.trials?.[split] ? data.utterances[split] : drawn(data.utterances[split], most[split]),
  );
  const facts = perSplit((split) => {
    const { length } = data.utterances[split];
    const { source } = data.facts[split];
    const isWhole = utterances[split].length === length;
    return factsOf(utterances[split], isWhole ? source : `${source}, of ${length} drawn`);
  });
  return { ...data, utterances, facts, fingerprint: fingerprintOf({ ...data, utterances }) };
}
