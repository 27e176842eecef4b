// Do two systems differ on the same test set? Matched pairs (Gillick and Cox, ICASSP 1989), sign test, McNemar.
// Ours because each test is half a page, and what it says must not change with a library.
import { UsageError } from "../errors.ts";
import { normalTwoSidedP, signTestP } from "./distributions.ts";

export interface MatchedPairs {
  readonly utterances: number;
  /** Mean of errors(a) - errors(b) over utterances; above 0: b makes fewer errors. */
  readonly meanDifference: number;
  readonly standardError: number;
  /** meanDifference / standardError; 0 where the two never differ. */
  readonly z: number;
  /** Two-sided; 1 where the two never differ. */
  readonly p: number;
  /** Whether there are enough utterances for the normal approximation. */
  readonly reliable: boolean;
}

const RELIABLE_UTTERANCES = 50;

/**
 * Matched pairs test on errors by utterance. MAPSSWE compares segments bounded by words both systems got right; here a
 * segment is an utterance, which needs no such words and holds for any count of errors.
 */
export function matchedPairs(errorsA: ArrayLike<number>, errorsB: ArrayLike<number>): MatchedPairs {
  const differences = differencesOf("matchedPairs", errorsA, errorsB);
  const n = differences.length;
  const mean = differences.reduce((sum, d) => sum + d, 0) / n;
  const squares = differences.reduce((sum, d) => sum + (d - mean) ** 2, 0);
  const standardError = n > 1 ? Math.sqrt(squares / (n - 1) / n) : 0;
  const base = { utterances: n, meanDifference: mean, standardError, reliable: n >= RELIABLE_UTTERANCES };
  if (standardError > 0) {
    const z = mean / standardError;
    return { ...base, z, p: normalTwoSidedP(z) };
  }
  // equal differences have no variance to estimate, so the sign test answers
  const sign = mean === 0 ? 1 : signTestP(0, n);
  return { ...base, z: mean === 0 ? 0 : Math.sign(mean) * Number.POSITIVE_INFINITY, p: sign };
}

export interface SignTest {
  /** Utterances on which a makes fewer errors, and b. */
  readonly aBetter: number;
  readonly bBetter: number;
  readonly ties: number;
  /** Two-sided, exact, ties left out. */
  readonly p: number;
}

/** Sign test on errors by utterance: which system is better more often, whatever the distance. */
export function signTest(errorsA: ArrayLike<number>, errorsB: ArrayLike<number>): SignTest {
  const differences = differencesOf("signTest", errorsA, errorsB);
  const aBetter = differences.filter((d) => d < 0).length;
  const bBetter = differences.filter((d) => d > 0).length;
  const ties = differences.length - aBetter - bBetter;
  return { aBetter, bBetter, ties, p: signTestP(aBetter, aBetter + bBetter) };
}

export interface McNemar {
  /** Answers that only a has right, and only b. */
  readonly onlyA: number;
  readonly onlyB: number;
  readonly both: number;
  readonly neither: number;
  /** Two-sided, exact (binomial on those where the two differ). */
  readonly p: number;
}

/** McNemar's test on two classifiers' right and wrong answers to the same questions. */
export function mcnemar(rightA: ArrayLike<boolean>, rightB: ArrayLike<boolean>): McNemar {
  if (rightA.length !== rightB.length || rightA.length === 0) {
    throw new UsageError(`mcnemar: ${rightA.length} answers against ${rightB.length}; expected as many, at least one`);
  }
  let [onlyA, onlyB, both, neither] = [0, 0, 0, 0];
  for (let i = 0; i < rightA.length; i++) {
    if (rightA[i] && rightB[i]) both++;
    else if (rightA[i]) onlyA++;
    else if (rightB[i]) onlyB++;
    else neither++;
  }
  return { onlyA, onlyB, both, neither, p: signTestP(onlyA, onlyA + onlyB) };
}

/**
 * Puts two systems' rows of the same test set side by side, in the order of the first.
 * @throws UsageError naming ids that only one of them has.
 */
export function pairById<A extends { readonly id: string }, B extends { readonly id: string }>(
  a: readonly A[],
  b: readonly B[],
): [A, B][] {
  const byId = new Map(b.map((row) => [row.id, row]));
  const ids = new Set(a.map(({ id }) => id));
  const lone = [...a.filter(({ id }) => !byId.has(id)), ...b.filter(({ id }) => !ids.has(id))];
  if (lone.length > 0 || ids.size !== a.length || byId.size !== b.length) {
    const named = lone.slice(0, 5).map(({ id }) => id);
    throw new UsageError(
      lone.length > 0
        ? `the two systems were not scored on the same test set: ${lone.length} ids are in one only (${named.join(", ")})`
        : "the two systems cannot be paired: an id occurs twice",
    );
  }
  return a.map((row) => [row, byId.get(row.id)!]);
}

function differencesOf(name: string, a: ArrayLike<number>, b: ArrayLike<number>): number[] {
  if (a.length !== b.length || a.length === 0) {
    throw new UsageError(`${name}: ${a.length} utterances against ${b.length}; expected as many, at least one`);
  }
  return Array.from(a, (value, i) => {
    const difference = value - b[i];
    if (!Number.isFinite(difference)) throw new UsageError(`${name}: utterance ${i} has errors that are no number`);
    return difference;
  });
}
