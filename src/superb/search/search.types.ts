// What a search is asked for, what it tells on the way, and what it finds.
import type { FeatureSource } from "../features/features.types.ts";

/** Unit rows [sum of frames, dim] of several recordings, one after another. */
export interface RowGroup {
  readonly rows: Float32Array;
  readonly frames: readonly number[];
}

/** Queries against documents, of one layer. */
export interface SearchTask {
  readonly queries: RowGroup;
  readonly documents: RowGroup;
}

export interface SearchOptions {
  readonly source: FeatureSource;
  /** Ids. */
  readonly queries: readonly string[];
  readonly documents: readonly string[];
  /** Indices of the states that are searched in. */
  readonly layers: readonly number[];
  /** Where parts of the result are kept, and found again by a search that goes on. */
  readonly folder: string;
  /** First part of the names of its files. */
  readonly name: string;
  readonly threads: number;
  readonly signal?: AbortSignal;
}

export interface SearchProgress {
  /** Documents whose part is done, of all. */
  readonly done: number;
  readonly total: number;
  /** Of those, done before this search began. */
  readonly already: number;
}

export interface SearchResult {
  /** By layer in the order asked for: [queries, documents], NaN where either has no direction to compare. */
  readonly costs: readonly Float64Array[];
  /** Queries that are too short to be told from anything, whose every score is 0. */
  readonly shortQueries: readonly string[];
}
