// A search over documents in blocks: equal to one pair at a time, on however many threads, and after it was stopped.
import { mkdtempSync, readdirSync, rmSync, statSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { Random } from "../../../src/random.ts";
import { Aligner } from "../../../src/superb/search/alignment.ts";
import { scoresOf } from "../../../src/superb/search/scoring.ts";
import { momentsOf, search } from "../../../src/superb/search/search.ts";
import type { SearchOptions, SearchProgress, SearchResult } from "../../../src/superb/search/search.types.ts";
import type { Standard } from "../../../src/superb/search/standardise.ts";
import type { UtteranceStates } from "../../../src/upstream/frames.ts";
import { memorySource } from "../made-up.ts";

const [LAYERS, DIM] = [2, 6];
const root = mkdtempSync(join(tmpdir(), "search-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const states = new Map<string, UtteranceStates>();
const random = new Random(3);
const draw = (id: string, frames: number) => {
  const data = Float32Array.from({ length: LAYERS * frames * DIM }, () => random.normal());
  states.set(id, { frames, data });
  return id;
};
const queries = Array.from({ length: 7 }, (_, i) => draw(`query ${i}`, i === 3 ? 4 : 5 + i));
// three blocks
const documents = Array.from({ length: 40 }, (_, i) => draw(`document ${i}`, 100 + ((i * 37) % 180)));

async function searchAll(
  folder: string,
  {
    threads = 2,
    stopAfter,
    source = memorySource(states, { layers: LAYERS, dim: DIM }),
  }: {
    readonly threads?: number;
    readonly stopAfter?: number;
    readonly source?: SearchOptions["source"];
  } = {},
): Promise<{ progress: SearchProgress[]; result: SearchResult | undefined; standards: Standard[] }> {
  const stop = new AbortController();
  const ofDocuments = await momentsOf(source, documents, undefined);
  const moments = await momentsOf(source, queries, undefined, ofDocuments);
  const standards = moments!.map((one) => one.standard());
  const layers = [0, 1];
  const options = { source, queries, documents, layers, folder, name: "dev", threads, signal: stop.signal };
  const progress: SearchProgress[] = [];
  const events = search(options, standards);
  for (;;) {
    const { done, value } = await events.next();
    if (done) return { progress, result: value, standards };
    progress.push(value);
    if (progress.length === stopAfter) stop.abort();
  }
}

/** One pair after another, from the states as they are, by the textbook. */
function costsAlone(layer: number, { mean, deviation }: Standard): number[] {
  const aligner = new Aligner();
  const rowsOf = (id: string) => {
    const { frames, data } = states.get(id)!;
    return Array.from({ length: frames }, (_, frame) =>
      Array.from({ length: DIM }, (_, d) => (data[(layer * frames + frame) * DIM + d] - mean[d]) / deviation[d]),
    );
  };
  const norm = (row: number[]) => Math.hypot(...row);
  const all = documents.map(rowsOf);
  return queries.flatMap((id) => {
    const query = rowsOf(id);
    return all.map((document) => {
      if (query.length < 5) return 0;
      const cosines = query.flatMap((a) =>
        document.map((b) => a.reduce((sum, value, d) => sum + value * b[d], 0) / norm(a) / norm(b)),
      );
      const place = { at: 0, stride: document.length, queryFrames: query.length, documentFrames: document.length };
      return aligner.cost(Float64Array.from(cosines), place);
    });
  });
}

describe("a search", () => {
  test("finds what one pair at a time does, and says how far it is", async () => {
    const { progress, result, standards } = await searchAll(join(root, "whole"));
    expect(result?.shortQueries).toEqual(["query 3"]);
    for (const [layer, costs] of result!.costs.entries()) {
      const alone = costsAlone(layer, standards[layer]);
      for (const [i, cost] of costs.entries()) expect(Math.abs(cost - alone[i])).toBeLessThan(1e-6);
    }
    expect(progress.length).toBeGreaterThan(1);
    expect(progress.at(-1)).toEqual({ done: 40, total: 40, already: 0 });
  });

  test("goes on where it was stopped, to the same bits, whatever the threads", async () => {
    const folder = join(root, "stopped");
    expect((await searchAll(folder, { stopAfter: 1 })).result).toBeUndefined();
    const names = readdirSync(folder);
    expect(names).toEqual(["dev-00000.f64"]);
    const before = statSync(join(folder, names[0])).mtimeMs;
    const { progress, result } = await searchAll(folder, { threads: 1 });
    expect(progress[0].already).toBe(progress[0].done);
    expect(progress.at(-1)?.already).toBe(progress[0].done);
    expect(statSync(join(folder, names[0])).mtimeMs).toBe(before);
    expect(result?.costs).toEqual((await searchAll(join(root, "whole"))).result?.costs);
  });

  test("a part that is cut short is made again", async () => {
    const folder = join(root, "whole");
    const whole = (await searchAll(folder)).result;
    truncateSync(join(folder, "dev-00001.f64"), 100);
    const { progress, result } = await searchAll(folder);
    expect(progress[1].already).toBe(progress[0].done);
    expect(result).toEqual(whole);
  });

  test("a frame that is the mean itself costs its recording its place in that layer", async () => {
    const source = memorySource(states, { layers: LAYERS, dim: DIM });
    const standards = (await momentsOf(source, [...documents, ...queries], undefined))!.map((one) => one.standard());
    const odd = new Map(states);
    const { frames, data } = states.get("document 5")!;
    const changed = Float32Array.from(data);
    changed.set(Float32Array.from(standards[1].mean), (frames + 7) * DIM);
    odd.set("document 5", { frames, data: changed });
    // such a mean in float32
    standards[1].mean.set(Float32Array.from(standards[1].mean));
    const events = search(
      {
        ...{ source: memorySource(odd, { layers: LAYERS, dim: DIM }), queries, documents, layers: [0, 1] },
        ...{ folder: join(root, "odd"), name: "dev", threads: 1 },
      },
      standards,
    );
    let last = await events.next();
    while (!last.done) last = await events.next();
    const [first, second] = last.value!.costs;
    expect([...first].some(Number.isNaN)).toBe(false);
    const lost = [...second.keys()].filter((i) => Number.isNaN(second[i])).map((i) => i % 40);
    expect(new Set(lost)).toEqual(new Set([5]));
  });
});

describe("scores", () => {
  test("are in deviations from the mean over a query's documents, to four decimals", () => {
    // costs 1 2 3 6: mean 3, deviation sqrt(14 / 4)
    expect([...scoresOf(Float64Array.of(1, 2, 3, 6))]).toEqual([1.069, 0.5345, 0, -1.6036]);
    // what is left out is found last and weighs nothing
    expect([...scoresOf(Float64Array.of(1, Number.NaN, 2, 3, 6))]).toEqual([1.069, -10, 0.5345, 0, -1.6036]);
  });

  test("of a query that says nothing are all 0", () => {
    expect([...scoresOf(new Float64Array(3))]).toEqual([0, 0, 0]);
    expect([...scoresOf(new Float64Array(2).fill(Number.NaN))]).toEqual([-10, -10]);
  });
});
