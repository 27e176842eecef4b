// What a search leaves behind: a trial for every query and document, and result.json.
import { join } from "node:path";
import { writeFileAtomic } from "../../../files.ts";
import { maximumTermWeightedValue, QUESST_WEIGHTS } from "../../../metrics/mtwv.ts";
import { type Prediction, writePredictions } from "../../../metrics/predictions.ts";
import { environment } from "../../../training/environment.ts";
import type { SearchSplit } from "../../labels/search/corpus.types.ts";
import { headlineOf, metricsOf } from "../../measures/index.ts";
import { trialPrediction, trialsOf } from "../../measures/search.ts";
import { ABSENT_SCORE, formatScore, scoresOf } from "../../search/scoring.ts";
import { factsOf } from "../../tasks/splits.ts";
import { EVALUATION_FILES } from "../record.ts";
import { type EvaluationResult, upstreamFacts } from "../result.ts";
import type { PreparedSearch } from "./search-run.types.ts";

export interface Searched {
  /** That was best on dev. */
  readonly layer: number;
  /** Of every layer on dev, in percent. */
  readonly values: readonly number[];
  /** Costs [queries, documents] in that layer. */
  readonly dev: Float64Array;
  readonly test: Float64Array;
  /** Test queries that are too short. */
  readonly short: number;
  readonly seconds: number;
}

interface ScoredTrial {
  readonly query: string;
  readonly document: string;
  readonly score: number;
  readonly isTarget: boolean;
}

/** Every query in every document. What was left out, and documents that hold a query and are not there, are found last. */
export function searchTrials(
  { corpus, usable }: Pick<PreparedSearch, "corpus" | "usable">,
  split: SearchSplit,
  costs: Float64Array,
): ScoredTrial[] {
  const { recordings, truth } = corpus.queries[split];
  const rows = new Map(usable[split].map((id, i) => [id, i]));
  const columns = new Map(usable.documents.map((id, i) => [id, i]));
  const count = usable.documents.length;
  const listed = new Set(corpus.documents.map(({ id }) => id));
  return recordings.flatMap(({ id: query }) => {
    const row = rows.get(query);
    const scores = row === undefined ? undefined : scoresOf(costs.slice(row * count, (row + 1) * count));
    const own = truth.get(query) ?? new Set<string>();
    const absent = [...own].filter((document) => !listed.has(document));
    return [...listed, ...absent].map((document) => {
      const score = scores?.[columns.get(document) ?? -1] ?? ABSENT_SCORE;
      return { query, document, score, isTarget: own.has(document) };
    });
  });
}

/** Writes predictions of both splits, and result.json last of all. */
export async function finishSearch(prepared: PreparedSearch, searched: Searched): Promise<EvaluationResult> {
  const { folder, corpus } = prepared;
  const write = async (split: SearchSplit): Promise<{ readonly file: string; readonly rows: Prediction[] }> => {
    const paths = new Map(
      corpus.queries[split].recordings.map(({ id, path, segment }) => [id, { audio: path, segment }]),
    );
    const rows = searchTrials(prepared, split, searched[split]).map(({ query, document, isTarget, score }) => ({
      ...trialPrediction(query, document, isTarget, formatScore(score)),
      // the query's recording, where it is to be found
      ...(isTarget && paths.get(query)),
    }));
    const file = join(EVALUATION_FILES.predictions, `${split}.jsonl`);
    await writePredictions(join(folder.path, file), rows);
    return { file, rows };
  };
  const [dev, test] = [await write("dev"), await write("test")];
  const result = resultOf(prepared, searched, { dev, test });
  await writeFileAtomic(join(folder.path, EVALUATION_FILES.result), `${JSON.stringify(result, null, 2)}\n`);
  return result;
}

interface Written {
  readonly file: string;
  readonly rows: readonly Prediction[];
}

function resultOf(
  prepared: PreparedSearch,
  { layer, values, short, seconds }: Searched,
  { dev, test }: Readonly<Record<SearchSplit, Written>>,
): EvaluationResult {
  const { task, upstream, asked, source, corpus, usable, fingerprint, featureSeconds } = prepared;
  const [metric, ...otherMetrics] = metricsOf(test.rows, task.unit);
  const { totals } = corpus.queries.test;
  const inWhole = totals && 100 * maximumTermWeightedValue(trialsOf(test.rows), QUESST_WEIGHTS, totals).mtwv;
  const facts = (split: SearchSplit) => {
    const { recordings, source: from } = corpus.queries[split];
    return { ...factsOf(recordings, from), utterances: recordings.length };
  };
  return {
    format: 1,
    task: task.name,
    created: new Date().toISOString(),
    upstream: upstreamFacts(asked.upstream.model, upstream),
    data: {
      ...{ root: corpus.root, fingerprint, dev: facts("dev"), test: facts("test") },
      train: factsOf(corpus.documents, "documents that are searched"),
    },
    // nothing is trained and nothing chosen on test: both protocols are one
    protocol: "superb",
    options: { gainDb: upstream.gainDb ?? 0, features: source.dtype, onBadFile: asked.data.onBadFile },
    metric,
    otherMetrics,
    dev: headlineOf(dev.rows, task.unit),
    choices: [{ what: "layer", chosen: source.layers[layer], among: values.length, on: "dev" }],
    folds: [],
    decodings: [],
    unit: task.unit,
    layerWeights: values.map((_, i) => Number(i === layer)),
    headParameters: 0,
    learningRates: [],
    search: {
      documents: usable.documents.length,
      queries: { dev: usable.dev.length, test: usable.test.length },
      layers: values.map((value, i) => ({ name: source.layers[i], dev: value })),
      shortQueries: short,
      leftOut: corpus.documents.length - usable.documents.length,
      whole: totals && inWhole !== undefined ? { ...totals, value: inWhole } : null,
    },
    seconds: { features: featureSeconds, training: 0, testing: seconds },
    predictions: { dev: dev.file, test: test.file },
    environment: { ...environment() },
  };
}
