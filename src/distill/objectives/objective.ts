// What a student learns by: an objective names what it reads, brings its own parameters, and builds its terms of the loss.
import * as g from "../../graph/ops.ts";
import { constant, type Value } from "../../graph/value.ts";
import type { EncoderOutputs } from "../../models/forward.ts";
import type { ParameterSpec } from "../../models/parameters.ts";
import type { ParameterLookup } from "../../nn/scope.ts";
import type { Counted, LossFrames } from "./frames.ts";

/** What a teacher saw: everything, what the student sees, or everything for masked frames and the rest for unmasked ones. */
export type Pass = "full" | "masked" | "mixed";

/** States of a teacher that an objective compares with, [batch, time, dim]. */
export interface TeacherStates {
  /** Which teacher, from 0. */
  readonly teacher: number;
  /** Outputs of these layers, -1 for what layer 0 reads; of several the mean. */
  readonly layers: readonly number[];
  readonly pass: Pass;
  /** Width of the teacher. */
  readonly dim: number;
}

/** Means of something over frames, each a number of metrics.jsonl. */
export interface Term {
  readonly name: string;
  /** What it counts: batches, and parts of them, weigh by how much of that they have. */
  readonly over: Counted;
  /** What each of its values adds to the objective's loss, a value each; 0 where it is only shown. */
  readonly weights: readonly number[];
  /** Frames that it tells of, where these are not all. */
  readonly part?: "masked" | "unmasked";
}

export type Initial =
  | { readonly normal: number }
  | { readonly constant: number }
  | { readonly uniform: readonly [from: number, to: number] };

/** A parameter that is trained with the student's and is no part of the finished model. */
export interface ObjectiveParameter extends ParameterSpec {
  readonly initial: Initial;
}

/** What an objective sees while a step is traced. */
export interface Lesson {
  /** Convolution features before and after their norm, and projected, [batch, time, channels or dim]. */
  readonly features: { readonly conv: Value; readonly normed: Value; readonly projected: Value };
  readonly encoded: EncoderOutputs;
  /** In the order of the objective's `targets`. */
  readonly targets: readonly Value[];
  /** Unit of every frame, int64 [batch, time], -1 where it has none; null where the objective reads none. */
  readonly units: Value | null;
  readonly frames: LossFrames;
  /** The objective's own parameters, by the names that it gave them. */
  readonly parameter: ParameterLookup;
}

export interface Objective {
  /** Its own in a run. */
  readonly name: string;
  readonly weight: number;
  readonly targets: readonly TeacherStates[];
  readonly readsUnits: boolean;
  /** It learns at masked frames alone, so validation masks them too. */
  readonly validatesMasked: boolean;
  readonly parameters: readonly ObjectiveParameter[];
  readonly terms: readonly Term[];
  /** The loss, [], and the values of each of `terms`, in their order: [weights]. */
  build(lesson: Lesson): { readonly loss: Value; readonly values: readonly Value[] };
}

/** The name of a term, or of a parameter, among those of all objectives. */
export const termName = ({ name }: Pick<Objective, "name">, term: Pick<Term, "name">): string => `${name}.${term.name}`;
export const parameterName = ({ name }: Pick<Objective, "name">, parameter: string): string =>
  `objectives.${name}.${parameter}`;

/** The loss that `terms` and their values come to. */
export function weightedSum(terms: readonly Term[], values: readonly Value[]): Value {
  const parts = terms.flatMap(({ weights }, i) =>
    weights.some((weight) => weight !== 0)
      ? [g.sumAll(g.mul(values[i], constant({ shape: [weights.length], data: Float32Array.from(weights) })))]
      : [],
  );
  return parts.reduce((a, b) => g.add(a, b));
}

/** Scalars [] as one value [n]. */
export const stacked = (scalars: readonly Value[]): Value =>
  g.concat(
    scalars.map((one) => g.reshape(one, [1])),
    0,
  );
