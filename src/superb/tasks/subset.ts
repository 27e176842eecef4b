// A corpus of which a part is used: for comparing models in minutes, not for results of the benchmark.
import type { Trial } from "../../speakers/trials.ts";
import { drawn, hashOrder } from "../labels/subset.ts";
import type { DataSettings } from "../recipe/schema.ts";
import { factsOf, fingerprintOf, perSplit } from "./splits.ts";
import type { TaskData } from "./task.types.ts";

/**
 * The corpus with at most so many utterances of each split, drawn by their ids, so that equal corpora and numbers are equal
 * parts. Of splits that trials are made of, trials are drawn until they need as many recordings.
 */
export function partOf(data: TaskData, most: DataSettings["most"]): TaskData {
  if (!most) return data;
  const trials = data.trials && perSplit((split) => drawnTrials(data.trials?.[split] ?? [], most[split]));
  const utterances = perSplit((split) => {
    const all = data.utterances[split];
    if (!data.trials?.[split]) return drawn(all, most[split]);
    const needed = new Set(trials?.[split].flatMap(({ first, second }) => [first, second]));
    return all.filter(({ id }) => needed.has(id));
  });
  const facts = perSplit((split) => {
    const { length } = data.utterances[split];
    const { source } = data.facts[split];
    const isWhole = utterances[split].length === length;
    return factsOf(utterances[split], isWhole ? source : `${source}, of ${length} drawn`);
  });
  const part = { ...data, utterances, ...(trials && { trials: { ...data.trials, ...trials } }) };
  return { ...part, facts, fingerprint: fingerprintOf(part) };
}

/** Trials of at most `most` recordings: those that trials, drawn by a hash of their ids, need first. */
function drawnTrials(trials: readonly Trial[], most = Number.POSITIVE_INFINITY): readonly Trial[] {
  const named = trials.map(({ first, second }) => ({ id: `${first} ${second}`, pair: [first, second] }));
  const left = new Set<string>();
  for (const { pair } of hashOrder(named)) {
    const added = pair.filter((id) => !left.has(id));
    if (left.size + added.length <= most) for (const id of added) left.add(id);
  }
  return trials.filter(({ first, second }) => left.has(first) && left.has(second));
}
