// What a reader of the page has to know beside the numbers: what had not stopped improving, what was computed in another way.
import type { RowResult } from "./kept.ts";
import { nameOf } from "./rows.ts";

const named = (rows: readonly Pick<RowResult, "id" | "seed">[]) =>
  rows.map(({ id, seed }) => nameOf(id, seed)).join(", ");

/** What the lists of speech hold (speech.ts); a pass reads every utterance once. */
const [UTTERANCES, HOURS, BATCH] = [2726, 7.28, 8];

/** How long rows learned, and whether more would help. */
export function onLearning(rows: readonly RowResult[]): string {
  const trained = rows.flatMap(({ training, ...row }) =>
    training && training.updates > 1 ? [{ ...row, training }] : [],
  );
  const lengths = [...new Set(trained.map(({ training }) => training.updates))].toSorted((a, b) => a - b);
  const passes = lengths.map((updates) => {
    const hours = Math.max(
      ...trained.filter(({ training }) => training.updates === updates).map((row) => row.training.hours),
    );
    return `${updates.toLocaleString("en")} updates are ${((updates * BATCH) / UTTERANCES).toFixed(1)} passes and ${(hours / HOURS).toFixed(1)} times the hours`;
  });
  const stopped = trained.filter(({ training }) => training.best && training.best.step < training.updates);
  const falling = "lowest at the last update, where the learning rate is zero, so longer trainings may reach less";
  const losses = stopped.length > 0 ? `no longer falling in ${named(stopped)}; in all others ${falling}` : falling;
  return [
    `A pass reads each of the ${UTTERANCES.toLocaleString("en")} utterances (${HOURS} hours) once, of each a crop of at most 5 s, drawn anew in every pass: ${passes.join("; ")}.`,
    `The validation loss was ${losses}.`,
  ].join(" ");
}

/** Rows whose arithmetic was not that of most. */
export function onComputing(rows: readonly RowResult[]): string {
  const trained = rows.filter(({ training }) => training);
  const way = ({ training }: RowResult) => training?.computing ?? "not recorded";
  const ways = [...new Set(trained.map(way))].map((one) => trained.filter((row) => way(row) === one));
  const [most, ...others] = ways.toSorted((a, b) => b.length - a.length);
  if (others.length === 0) return "";
  const rest = others.map((members) => `${named(members)} (${way(members[0])})`).join("; ");
  return `Computed otherwise than the rest (${way(most[0])}), which is in their differences too: ${rest}.`;
}

/** Rows whose real-time factors come from another run of the measurement than the last one. */
export function onSpeeds(rows: readonly RowResult[]): string {
  const runs = rows.flatMap(({ speed }) => (speed ? [speed.at ?? ""] : []));
  const last = runs.toSorted().at(-1);
  const earlier = rows.filter(({ speed }) => speed && (speed.at ?? "") !== last);
  return earlier.length === 0 ? "" : ` Measured in an earlier run, so less alike: ${named(earlier)}.`;
}
