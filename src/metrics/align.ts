// Alignment of a hypothesis with its reference (Wagner and Fischer, JACM 1974), with sclite's weights and ties.
// Ours because ties must fall as sclite's do for totals to be the same.
import { StillwaveError } from "../errors.ts";

export interface AlignmentWeights {
  readonly substitution: number;
  readonly deletion: number;
  readonly insertion: number;
}

/** NIST sclite's: a deletion and an insertion cost more than a substitution, less than two. */
const SCLITE_WEIGHTS: AlignmentWeights = { substitution: 4, deletion: 3, insertion: 3 };

export type EditKind = "correct" | "substitution" | "deletion" | "insertion";

export interface AlignedPair {
  readonly kind: EditKind;
  /** Missing for an insertion. */
  readonly reference?: string;
  /** Missing for a deletion. */
  readonly hypothesis?: string;
}

export interface Alignment {
  readonly correct: number;
  readonly substitutions: number;
  readonly deletions: number;
  readonly insertions: number;
  readonly pairs: readonly AlignedPair[];
}

/** One byte of trace a cell. */
const MAX_CELLS = 2 ** 29;

/** Tokens as small integers, so that comparing costs nothing. */
function numbered(reference: readonly string[], hypothesis: readonly string[]): [Int32Array, Int32Array] {
  const ids = new Map<string, number>();
  const encode = (tokens: readonly string[]) =>
    Int32Array.from(tokens, (token) => {
      let id = ids.get(token);
      if (id === undefined) {
        id = ids.size;
        ids.set(token, id);
      }
      return id;
    });
  return [encode(reference), encode(hypothesis)];
}

const DIAGONAL = 0;
const INSERTION = 1;
const DELETION = 2;

/**
 * Cheapest alignment. Among equally cheap ones it is the one sclite takes: traced from the end, a pair is preferred to an
 * insertion and an insertion to a deletion. Tokens are equal if they are the same string (`sclite -s`).
 * @throws StillwaveError where the two are too long to align (2^29 pairs).
 */
export function alignTokens(
  reference: readonly string[],
  hypothesis: readonly string[],
  weights: AlignmentWeights = SCLITE_WEIGHTS,
): Alignment {
  const rows = reference.length;
  const columns = hypothesis.length;
  if ((rows + 1) * (columns + 1) > MAX_CELLS) {
    throw new StillwaveError(
      `a reference of ${rows} tokens and a hypothesis of ${columns} are too long to align; score shorter utterances`,
    );
  }
  const [a, b] = numbered(reference, hypothesis);
  const trace = traceOf(a, b, weights);
  const pairs: AlignedPair[] = [];
  let i = rows;
  let j = columns;
  while (i > 0 || j > 0) {
    const move = trace[i * (columns + 1) + j];
    if (move === DIAGONAL) {
      i--;
      j--;
      const kind = a[i] === b[j] ? "correct" : "substitution";
      pairs.push({ kind, reference: reference[i], hypothesis: hypothesis[j] });
    } else if (move === INSERTION) pairs.push({ kind: "insertion", hypothesis: hypothesis[--j] });
    else pairs.push({ kind: "deletion", reference: reference[--i] });
  }
  pairs.reverse();
  const count = (kind: EditKind) => pairs.reduce((sum, pair) => sum + (pair.kind === kind ? 1 : 0), 0);
  return {
    correct: count("correct"),
    substitutions: count("substitution"),
    deletions: count("deletion"),
    insertions: count("insertion"),
    pairs,
  };
}

/** The preferred cheapest move into each cell, [reference + 1, hypothesis + 1]. */
function traceOf(a: Int32Array, b: Int32Array, { substitution, deletion, insertion }: AlignmentWeights): Uint8Array {
  const width = b.length + 1;
  const trace = new Uint8Array((a.length + 1) * width).fill(INSERTION, 1, width);
  let above = Float64Array.from({ length: width }, (_, j) => j * insertion);
  let row = new Float64Array(width);
  for (let i = 1; i <= a.length; i++) {
    row[0] = i * deletion;
    trace[i * width] = DELETION;
    for (let j = 1; j < width; j++) {
      let best = above[j - 1] + (a[i - 1] === b[j - 1] ? 0 : substitution);
      let move = DIAGONAL;
      const inserted = row[j - 1] + insertion;
      if (inserted < best) {
        best = inserted;
        move = INSERTION;
      }
      const deleted = above[j] + deletion;
      if (deleted < best) {
        best = deleted;
        move = DELETION;
      }
      row[j] = best;
      trace[i * width + j] = move;
    }
    [above, row] = [row, above];
  }
  return trace;
}

/** The fewest substitutions, deletions and insertions between two sequences, in memory of one row. */
export function editDistance(reference: readonly string[], hypothesis: readonly string[]): number {
  const [a, b] = numbered(reference, hypothesis);
  const row = Int32Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    let diagonal = row[0];
    row[0] = i;
    for (let j = 1; j <= b.length; j++) {
      const above = row[j];
      const pair = diagonal + (a[i - 1] === b[j - 1] ? 0 : 1);
      row[j] = Math.min(pair, above + 1, row[j - 1] + 1);
      diagonal = above;
    }
  }
  return row[b.length];
}

/** Three lines (reference, hypothesis, marks S D I), columns aligned, `***` where a token is missing. */
export function formatAlignment({ pairs }: Pick<Alignment, "pairs">): string {
  const marks: Record<EditKind, string> = { correct: "", substitution: "S", deletion: "D", insertion: "I" };
  const cells = pairs.map(({ kind, reference = "***", hypothesis = "***" }) => {
    const width = Math.max([...reference].length, [...hypothesis].length, 1);
    return [reference, hypothesis, marks[kind]].map((text) => text + " ".repeat(Math.max(width - [...text].length, 0)));
  });
  return ["REF:", "HYP:", "    "]
    .map((head, line) => [head, ...cells.map((cell) => cell[line])].join(" ").trimEnd())
    .join("\n");
}
