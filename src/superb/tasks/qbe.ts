// QbE, search by example: queries that are said alone are looked for in documents, layer by layer, without any training.
import { StillwaveError } from "../../errors.ts";
import type { SearchCorpus } from "../labels/search/corpus.types.ts";
import { readSearchLists, type SearchPlaces, usualPlaces } from "../labels/search/lists.ts";
import { quesstRoot, readQuesst } from "../labels/search/quesst.ts";
import type { DataSettings } from "../recipe/schema.ts";
import { detectedTerms } from "../search/stdlist.ts";
import type { SearchTask } from "./task.types.ts";

const PARTS = ["queries", "documents", "truth"] as const;

async function corpus(data: DataSettings): Promise<SearchCorpus> {
  const { root, onBadFile } = data;
  const isNamed = PARTS.some((part) => data[part] !== undefined);
  const quesst = isNamed ? undefined : quesstRoot(root);
  if (quesst !== undefined) return readQuesst(quesst, onBadFile);
  const usual = usualPlaces(root);
  const places: Partial<SearchPlaces> = {
    queries: data.queries ?? usual.queries,
    documents: data.documents ?? usual.documents,
    truth: data.truth ?? usual.truth,
  };
  const missing = PARTS.filter((part) => places[part] === undefined);
  if (missing.length > 0)
    throw new StillwaveError(
      `${root}: no ${missing.join(", no ")}; expected QUESST 2014 (scoring/language_key_utterances.lst), or queries/, documents/ and truth.tsv, or --queries, --documents and --truth`,
    );
  return readSearchLists(root, places as SearchPlaces, onBadFile);
}

export const qbe: SearchTask = {
  title: "query by example",
  summary: "MTWV of a search in each layer, without a head",
  example: "--upstream facebook/hubert-base-ls960 --data quesst14Database",
  metric: { name: "MTWV", score: "mtwv", isHigherBetter: true },
  unit: "search",
  settings: PARTS.map((part) => `data.${part}`),
  gainDb: -3,
  rootFrom: "truth",
  corpus,
  submission: async ({ test }) => [{ name: "benchmark.stdlist.xml", content: detectedTerms(test) }],
};
