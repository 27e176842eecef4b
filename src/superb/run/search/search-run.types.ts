// What an evaluation without a head works with.
import type { ProcessGroup } from "../../../processes/group.ts";
import type { Upstream } from "../../../upstream/upstream.ts";
import type { FeatureSource } from "../../features/features.types.ts";
import type { SearchCorpus, SearchSplit } from "../../labels/search/corpus.types.ts";
import type { CheckedSettings } from "../../recipe/read.ts";
import type { TaskName } from "../../tasks/index.ts";
import type { SearchTask } from "../../tasks/task.types.ts";
import type { EvaluationFolder } from "../record.ts";

export interface SearchParts {
  readonly asked: CheckedSettings;
  readonly force: boolean;
  readonly signal: AbortSignal | undefined;
  readonly folder: EvaluationFolder;
  readonly task: SearchTask & { readonly name: TaskName };
  readonly note: (text: string) => void;
  readonly group: ProcessGroup | undefined;
}

export interface PreparedSearch extends SearchParts {
  readonly corpus: SearchCorpus;
  readonly fingerprint: string;
  readonly upstream: Upstream;
  readonly source: FeatureSource;
  /** Ids of recordings that can be searched, and searched in. */
  readonly usable: Readonly<Record<Kind, readonly string[]>>;
  readonly featureSeconds: number;
}

/** What recordings of a search are. */
export type Kind = SearchSplit | "documents";
