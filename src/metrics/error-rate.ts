// Phone, word and character error rates over a corpus, with what they are made of.

import { StillwaveError, unknownName } from "../errors.ts";
import { tokensOf } from "../tokens.ts";
import { type Alignment, alignTokens, editDistance } from "./align.ts";
import type { Prediction } from "./predictions.ts";

/** What an error is counted in. Words and phones stand between spaces; characters are code points, spaces included. */
export type ErrorUnit = "word" | "phone" | "character";

export interface ErrorCounts {
  /** Tokens of the reference. */
  readonly reference: number;
  readonly correct: number;
  readonly substitutions: number;
  readonly deletions: number;
  readonly insertions: number;
  /** substitutions + deletions + insertions of sclite's alignment. */
  readonly errors: number;
  /** The fewest edits. The benchmark's rates are made of these; sclite's weights give a few more on rare occasions. */
  readonly edits: number;
}

export interface UtteranceErrors extends ErrorCounts {
  readonly id: string;
  readonly alignment: Alignment;
}

export interface ErrorReport {
  readonly unit: ErrorUnit;
  readonly total: ErrorCounts;
  /** 100 x edits / reference tokens over the corpus: the benchmark's PER, WER, CER. */
  readonly rate: number;
  /** 100 x errors / reference tokens: sclite's. */
  readonly scliteRate: number;
  /** Utterances with at least one error, in percent. */
  readonly sentenceErrorRate: number;
  readonly utterances: readonly UtteranceErrors[];
}

export function tokenize(text: string, unit: ErrorUnit): string[] {
  if (unit === "character") return [...text];
  if (unit === "word" || unit === "phone") return tokensOf(text);
  throw unknownName("unit", String(unit), ["word", "phone", "character"]);
}

/**
 * Scores predictions as one corpus: counts are summed, then divided.
 * @throws StillwaveError if there is nothing to score or no reference token at all.
 */
export function scoreErrors(predictions: readonly Prediction[], unit: ErrorUnit): ErrorReport {
  const utterances = predictions.map(({ id, reference, hypothesis }) =>
    utteranceErrors(id, tokenize(reference, unit), tokenize(hypothesis, unit)),
  );
  const total = sumErrors(utterances);
  if (total.reference === 0) {
    throw new StillwaveError(
      `no error rate: ${predictions.length} predictions hold no reference ${unit}; are the labels in the file?`,
    );
  }
  const wrong = utterances.filter(({ edits }) => edits > 0).length;
  return {
    unit,
    total,
    rate: (100 * total.edits) / total.reference,
    scliteRate: (100 * total.errors) / total.reference,
    sentenceErrorRate: (100 * wrong) / utterances.length,
    utterances,
  };
}

function utteranceErrors(id: string, reference: string[], hypothesis: string[]): UtteranceErrors {
  const alignment = alignTokens(reference, hypothesis);
  const { correct, substitutions, deletions, insertions } = alignment;
  const errors = substitutions + deletions + insertions;
  // no error in one alignment means none in any other
  const edits = errors === 0 ? 0 : editDistance(reference, hypothesis);
  return { id, reference: reference.length, correct, substitutions, deletions, insertions, errors, edits, alignment };
}

function sumErrors(counts: readonly ErrorCounts[]): ErrorCounts {
  const total = { reference: 0, correct: 0, substitutions: 0, deletions: 0, insertions: 0, errors: 0, edits: 0 };
  for (const count of counts) for (const key of Object.keys(total) as (keyof ErrorCounts)[]) total[key] += count[key];
  return total;
}

export interface Confusion {
  /** Empty for an insertion. */
  readonly reference: string;
  /** Empty for a deletion. */
  readonly hypothesis: string;
  readonly count: number;
}

/** What was taken for what, most frequent first; correct pairs included on demand. */
export function confusionsOf(
  alignments: Iterable<Pick<Alignment, "pairs">>,
  options: { readonly withCorrect?: boolean } = {},
): Confusion[] {
  const counts = new Map<string, Map<string, number>>();
  for (const { pairs } of alignments) {
    for (const { kind, reference = "", hypothesis = "" } of pairs) {
      if (kind === "correct" && !options.withCorrect) continue;
      const row = counts.get(reference) ?? new Map<string, number>();
      counts.set(reference, row);
      row.set(hypothesis, (row.get(hypothesis) ?? 0) + 1);
    }
  }
  const list = [...counts].flatMap(([reference, row]) =>
    [...row].map(([hypothesis, count]): Confusion => ({ reference, hypothesis, count })),
  );
  const key = (entry: Confusion) => `${entry.reference}\t${entry.hypothesis}`;
  return list.sort((x, y) => y.count - x.count || (key(x) < key(y) ? -1 : 1));
}
