// An evaluation without a head: dev queries are searched for in every layer, test queries in the one that was best on dev.
import { createHash } from "node:crypto";
import { availableParallelism } from "node:os";
import { join } from "node:path";

import { InternalError, StillwaveError } from "../../../errors.ts";
import { maximumTermWeightedValue, QUESST_WEIGHTS } from "../../../metrics/mtwv.ts";
import { listSome } from "../../../tokens.ts";
import type { Upstream } from "../../../upstream/upstream.ts";
import type { FeatureSource } from "../../features/features.types.ts";
import { shareOutNothing } from "../../features/filling-together.ts";
import { openFeatures } from "../../features/open.ts";
import { SEARCH_SPLITS, type SearchCorpus, type SearchSplit } from "../../labels/search/corpus.types.ts";
import { drawn } from "../../labels/subset.ts";
import type { CheckedSettings } from "../../recipe/read.ts";
import { momentsOf, search } from "../../search/search.ts";
import type { SearchResult } from "../../search/search.types.ts";
import type { FrameMoments } from "../../search/standardise.ts";
import type { EvaluationEvent } from "../events.types.ts";
import { heardBy, openAsked } from "../help.ts";
import { recordEvaluation, resumeRemedy } from "../record.ts";
import { finishedResult } from "../result.ts";

import { finishSearch, type Searched, searchTrials } from "./search-result.ts";
import type { Kind, PreparedSearch, SearchParts } from "./search-run.types.ts";

type Evaluation<Result = void> = AsyncGenerator<EvaluationEvent, Result, undefined>;

/** Below this a document has no other place than the one where everything is found. */
const FEWEST_FRAMES = 2;
const FOLDER = "search";

/** What hidden states are kept by: dev, test and documents may call recordings by one name. */
const stateId = (kind: Kind, id: string) => `${kind}\t${id}`;

/** @throws StillwaveError for a corpus or upstream that cannot be used */
export async function* searchRun(parts: SearchParts): Evaluation {
  const { asked, force, folder, task, note } = parts;
  const whole = await task.corpus(asked.data);
  const corpus = { ...whole, documents: drawn(whole.documents, asked.data.most?.test) };
  for (const text of corpus.notes) note(text);
  const [bad] = corpus.badFiles;
  if (bad) note(`${corpus.badFiles.length} bad files left out, first ${bad.path}: ${bad.reason}`);
  const upstream = heardBy(task, await openAsked(asked, note));
  try {
    const fingerprint = fingerprintOf(corpus);
    await recordEvaluation(folder, task.name, identityOf(asked, upstream, fingerprint), force, note);
    const already = folder.record && (await finishedResult(folder.path));
    if (already) {
      await shareOutNothing(parts.group);
      yield { kind: "done", folder: folder.path, already: true, result: already };
    } else if (!(yield* searchWith({ ...parts, corpus, upstream, fingerprint })))
      yield {
        kind: "interrupted",
        folder: folder.path,
        remedy: resumeRemedy(folder.path),
      };
  } finally {
    await upstream.dispose();
  }
}

type OpenedSearch = SearchParts & Pick<PreparedSearch, "corpus" | "upstream" | "fingerprint">;

/** False where the signal ended it. */
async function* searchWith(opened: OpenedSearch): Evaluation<boolean> {
  const { asked, corpus, upstream, signal, note, folder, task, group } = opened;
  const began = performance.now();
  const { cache: cacheRoot, dtype, workers } = asked.features;
  const utterances = [
    ...SEARCH_SPLITS.flatMap((split) =>
      corpus.queries[split].recordings.map((one) => ({ ...one, id: stateId(split, one.id) })),
    ),
    ...corpus.documents.map((one) => ({ ...one, id: stateId("documents", one.id) })),
  ].map(({ id, path, samples, segment }) => ({ id, path, samples, ...(segment && { segment }) }));
  const features = yield* openFeatures({
    ...{ upstream, utterances, onBadFile: asked.data.onBadFile, onNote: note },
    ...{ cacheRoot, dtype, workers, signal, group },
  });
  if (!features) return false;
  const { source, leftOut } = features;
  try {
    const usable = usableOf(opened, source, new Set(leftOut.map(({ id }) => id)));
    const featureSeconds = (performance.now() - began) / 1000;
    const prepared: PreparedSearch = { ...opened, source, usable, featureSeconds };
    const { layers, dim } = source;
    const queries = { dev: usable.dev.length, test: usable.test.length };
    yield {
      ...{ kind: "search", task: task.name, folder: folder.path, upstream: asked.upstream.model },
      ...{ layers: layers.length, dim, queries, documents: usable.documents.length },
    };
    return yield* searchLayers(prepared);
  } finally {
    await source.close();
  }
}

/** @throws StillwaveError under `stop` for documents in which everything would be found, or where nothing is left */
function usableOf({ corpus, asked, note }: OpenedSearch, source: FeatureSource, bad: ReadonlySet<string>) {
  const of = (kind: Kind, list: readonly { readonly id: string }[]) =>
    list.map(({ id }) => id).filter((id) => !bad.has(stateId(kind, id)));
  const all = of("documents", corpus.documents);
  const documents = all.filter((id) => source.framesOf(stateId("documents", id)) >= FEWEST_FRAMES);
  const short = all.filter((id) => !documents.includes(id));
  if (short.length > 0) {
    const what = `${short.length} documents of one frame (${listSome(short, 5)}), in which every query would be found`;
    if (asked.data.onBadFile === "stop")
      throw new StillwaveError(`${corpus.root}: ${what}; --on-bad-file skip leaves them out`);
    note(`${what}: left out`);
  }
  const usable = {
    dev: of("dev", corpus.queries.dev.recordings),
    test: of("test", corpus.queries.test.recordings),
    documents,
  };
  for (const [kind, list] of Object.entries(usable))
    if (list.length === 0)
      throw new StillwaveError(`${corpus.root}: no usable recording is left of ${kind}; repair the corpus`);
  return usable;
}

/** Searches, chooses the layer, and writes the result. False where the signal ended it. */
async function* searchLayers(prepared: PreparedSearch): Evaluation<boolean> {
  const { source, usable, corpus, signal } = prepared;
  const began = performance.now();
  const ids = usable.documents.map((id) => stateId("documents", id));
  const moments = await momentsOf(source, ids, signal);
  if (!moments) return false;
  const layers = source.layers.map((_, i) => i);
  const dev = yield* searchSplit(prepared, "dev", layers, moments);
  if (!dev) return false;
  const { totals } = corpus.queries.dev;
  const values = layers.map((layer) => {
    const trials = searchTrials(prepared, "dev", dev.costs[layer]);
    return 100 * maximumTermWeightedValue(trials, QUESST_WEIGHTS, totals).mtwv;
  });
  const layer = values.reduce((best, value, i) => (value > values[best] ? i : best), 0);
  yield { kind: "layer", name: source.layers[layer], dev: values[layer], among: layers.length };
  const test = yield* searchSplit(prepared, "test", [layer], moments);
  if (!test) return false;
  const seconds = (performance.now() - began) / 1000;
  const searched: Searched = {
    layer,
    values,
    dev: dev.costs[layer],
    test: test.costs[0],
    short: test.shortQueries.length,
    seconds,
  };
  yield { kind: "done", folder: prepared.folder.path, already: false, result: await finishSearch(prepared, searched) };
  return true;
}

/** Costs of a split's queries; undefined where the signal ended it. */
async function* searchSplit(
  prepared: PreparedSearch,
  split: SearchSplit,
  layers: readonly number[],
  moments: readonly FrameMoments[],
): Evaluation<SearchResult | undefined> {
  const { source, usable, folder, asked, signal, note } = prepared;
  const queries = usable[split].map((id) => stateId(split, id));
  const documents = usable.documents.map((id) => stateId("documents", id));
  const all = await momentsOf(source, queries, signal, moments);
  if (!all) return undefined;
  const events = search(
    {
      ...{ source, queries, documents, layers, folder: join(folder.path, FOLDER), name: split },
      ...{ threads: asked.run.threads ?? availableParallelism(), signal },
    },
    all.map((one) => one.standard()),
  );
  for (;;) {
    const { done, value } = await events.next();
    if (done) {
      if (value) checkDirections(prepared, split, layers, value);
      if (value && value.shortQueries.length > 0)
        note(`${value.shortQueries.length} ${split} queries have fewer than five frames: they are found nowhere`);
      return value;
    }
    yield { kind: "searching", split, layers: layers.length, done: value.done, total: value.total };
  }
}

/** @throws StillwaveError under `stop` for a frame that has no direction, from which no distance is defined */
function checkDirections(
  { asked, source, usable, note }: PreparedSearch,
  split: SearchSplit,
  layers: readonly number[],
  { costs }: SearchResult,
): void {
  for (const [i, row] of costs.entries()) {
    const place = row.findIndex(Number.isNaN);
    if (place < 0) continue;
    const lost = row.reduce((count, cost) => count + Number(Number.isNaN(cost)), 0);
    const document = usable.documents[place % usable.documents.length];
    const query = usable[split][Math.floor(place / usable.documents.length)];
    if (query === undefined) throw new InternalError(`search: cost ${place} of ${row.length} belongs to no query`);
    const what = `${source.layers[layers[i]]}: ${lost} pairs of ${split} have a frame that is the mean of all, from which no distance is defined, first ${query} in ${document}`;
    if (asked.data.onBadFile === "stop") throw new StillwaveError(`${what}; --on-bad-file skip leaves them out`);
    note(`${what}: left out`);
  }
}

/** Everything that the numbers of a run depend on. */
function identityOf({ features, data }: CheckedSettings, upstream: Upstream, fingerprint: string) {
  const { cache, dtype = "float32" } = features;
  const { fingerprint: model, gainDb = 0, layers, dim } = upstream;
  return {
    upstream: { fingerprint: model, gainDb, layers: layers.length, dim },
    data: { fingerprint, onBadFile: data.onBadFile },
    features: cache === null ? "streamed float32" : dtype,
  };
}

/** SHA-256 over ids, lengths, and which query is in which document. */
function fingerprintOf({ documents, queries }: SearchCorpus): string {
  const hash = createHash("sha256");
  const add = (...row: readonly unknown[]) => hash.update(`${JSON.stringify(row)}\n`);
  for (const { id, samples } of documents) add("document", id, samples);
  for (const split of SEARCH_SPLITS) {
    const { recordings, truth, totals } = queries[split];
    for (const { id, samples } of recordings) add(split, id, samples, [...(truth.get(id) ?? [])].sort());
    add(split, totals ?? null);
  }
  return hash.digest("hex");
}
