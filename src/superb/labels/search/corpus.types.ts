// Corpora for search: queries that are said alone, documents that hold some of them, and which hold which.
import type { BadFile, Utterance } from "../../../data/index.ts";
import type { SearchTotals } from "../../../metrics/mtwv.ts";

/** Queries that choose, and queries that are tested. */
export const SEARCH_SPLITS = ["dev", "test"] as const;
export type SearchSplit = (typeof SEARCH_SPLITS)[number];

export interface SearchQueries {
  readonly recordings: readonly Utterance[];
  /** Where the list is from. */
  readonly source: string;
  /** Ids of the documents that each query is in. */
  readonly truth: ReadonlyMap<string, ReadonlySet<string>>;
  /** The larger evaluation that these are a part of. */
  readonly totals?: Required<SearchTotals>;
}

export interface SearchCorpus {
  readonly root: string;
  readonly queries: Readonly<Record<SearchSplit, SearchQueries>>;
  readonly documents: readonly Utterance[];
  readonly badFiles: readonly BadFile[];
  readonly notes: readonly string[];
}
