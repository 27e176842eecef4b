// The losses of a step as numbers: the total, every objective's terms by name, and means over batches.
import type { FrameCounts } from "./objectives/frames.ts";
import { LAYERS } from "./objectives/layers.ts";
import { type Objective, type Term, termName } from "./objectives/objective.ts";

/** Losses of one batch, or means over several. */
export interface StepLosses {
  /** The objectives' losses, each times its weight. */
  readonly total: number;
  /** Values of every term, not weighted, as `<objective>.<term>`. */
  readonly terms: Readonly<Record<string, readonly number[]>>;
  /** What the terms are means over: of the whole batch, or of all batches. */
  readonly counts: FrameCounts;
}

/** The layer objective's terms: means over frames, not weighted. */
export interface LayerLosses {
  /** Sums over the heads before the last: masked and unmasked frames. */
  readonly hintMasked: number;
  readonly hintUnmasked: number;
  readonly lastMasked: number;
  readonly lastUnmasked: number;
  /** First head first. In validation (no mask) `masked` is all zero. */
  readonly perLayer: { readonly masked: readonly number[]; readonly unmasked: readonly number[] };
}

type NamedTerm = Term & { readonly key: string };

/** The terms of all objectives under their full names, with what each value adds to the total. */
export const allTerms = (objectives: readonly Objective[]): NamedTerm[] =>
  objectives.flatMap((objective) =>
    objective.terms.map((term) => ({
      ...term,
      key: termName(objective, term),
      weights: term.weights.map((weight) => objective.weight * weight),
    })),
  );

/** Names of a graph's outputs. */
export const TOTAL = "total";
export const termOutput = (key: string): string => `term.${key}`;

type Outputs = Readonly<Record<string, { readonly data: Float32Array }>>;

/** The outputs of a step, fetched. */
export const lossesOf = (objectives: readonly Objective[], outputs: Outputs, counts: FrameCounts): StepLosses => ({
  total: outputs[TOTAL].data[0],
  terms: Object.fromEntries(allTerms(objectives).map(({ key }) => [key, [...outputs[termOutput(key)].data]])),
  counts,
});

/** Means over the micro-batches of an update, which count alike. */
export const meanLosses = (parts: readonly StepLosses[]): StepLosses => ({
  total: weightedMean(parts.map(({ total }) => [total, 1])),
  terms: meanTerms(parts, () => 1),
  counts: sumCounts(parts),
});

/** Means over all that the batches of a set have of what each term counts: they do not depend on how it was cut. */
export function lossesOfSet(objectives: readonly Objective[], parts: readonly StepLosses[]): StepLosses {
  const terms = allTerms(objectives);
  const overOf = new Map(terms.map(({ key, over }) => [key, over]));
  const means = meanTerms(parts, (key, { counts }) => counts[overOf.get(key) ?? "frames"]);
  const weighed = terms.filter(({ weights }) => weights.some((weight) => weight !== 0));
  const [over, ...others] = new Set(weighed.map((term) => term.over));
  const total =
    others.length === 0
      ? weightedMean(parts.map(({ total, counts }) => [total, counts[over]]))
      : weighed.reduce((sum, term) => sum + contribution(term, means), 0);
  return { total, terms: means, counts: sumCounts(parts) };
}

/** What the terms that tell of masked, or of unmasked, frames add to the total. */
export const partOfTotal = (
  objectives: readonly Objective[],
  { terms }: Pick<StepLosses, "terms">,
  part: "masked" | "unmasked",
): number =>
  allTerms(objectives)
    .filter((term) => term.part === part)
    .reduce((sum, term) => sum + contribution(term, terms), 0);

/** Those of the layer objective; undefined where it is none of the run's. */
export function layerLosses({ terms }: Pick<StepLosses, "terms">): LayerLosses | undefined {
  const [masked, unmasked] = [terms[`${LAYERS}.masked`], terms[`${LAYERS}.unmasked`]];
  if (!masked || !unmasked) return undefined;
  const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
  return {
    hintMasked: sum(masked.slice(0, -1)),
    hintUnmasked: sum(unmasked.slice(0, -1)),
    lastMasked: masked[masked.length - 1],
    lastUnmasked: unmasked[unmasked.length - 1],
    perLayer: { masked, unmasked },
  };
}

const contribution = ({ key, weights }: NamedTerm, terms: StepLosses["terms"]): number =>
  weights.reduce((sum, weight, i) => sum + weight * terms[key][i], 0);

/** 0 where all weights are. */
function weightedMean(values: readonly (readonly [value: number, weight: number])[]): number {
  const total = values.reduce((sum, [, weight]) => sum + weight, 0);
  return values.reduce((sum, [value, weight]) => sum + value * weight, 0) / (total || 1);
}

const meanTerms = (
  parts: readonly StepLosses[],
  weightOf: (key: string, part: StepLosses) => number,
): StepLosses["terms"] =>
  Object.fromEntries(
    Object.keys(parts[0].terms).map((key) => [
      key,
      parts[0].terms[key].map((_, i) => weightedMean(parts.map((part) => [part.terms[key][i], weightOf(key, part)]))),
    ]),
  );

const sumCounts = (parts: readonly StepLosses[]): FrameCounts => {
  const sum = (of: keyof FrameCounts) => parts.reduce((total, { counts }) => total + counts[of], 0);
  return { frames: sum("frames"), pairs: sum("pairs"), masked: sum("masked"), unmasked: sum("unmasked") };
};
