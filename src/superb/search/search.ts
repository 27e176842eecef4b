// A search over documents, block by block: each block's costs are kept in a file, so that a search that was killed goes on.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { entryBeside, ThreadDeath, Threads } from "../../data/threads.ts";
import { StillwaveError } from "../../errors.ts";
import { makeFolder, writeFileAtomic } from "../../files.ts";
import type { FeatureSource } from "../features/features.types.ts";
import { layerRows } from "./rows.ts";
import type { RowGroup, SearchOptions, SearchProgress, SearchResult, SearchTask } from "./search.types.ts";
import { FrameMoments, type Standard, writeUnitRows } from "./standardise.ts";

/** A query with fewer is not searched for. */
const FEWEST_QUERY_FRAMES = 5;
/** Frames of documents in a block, and of queries in a group: large enough for products, small enough to be shared out. */
const BLOCK_FRAMES = 4096;
const GROUP_FRAMES = 1024;
/** Recordings that are read at a time. */
const READ_FRAMES = 4096;

/** Consecutive ids of at most `most` frames in all, or one. */
function grouped(ids: readonly string[], source: FeatureSource, most: number): string[][] {
  const groups: string[][] = [];
  let frames = 0;
  for (const id of ids) {
    const own = source.framesOf(id);
    if (groups.length === 0 || frames + own > most) {
      groups.push([]);
      frames = 0;
    }
    groups.at(-1)?.push(id);
    frames += own;
  }
  return groups;
}

/** Sums over all frames of recordings, by state; undefined where the signal ended it. */
export async function momentsOf(
  source: FeatureSource,
  ids: readonly string[],
  signal: AbortSignal | undefined,
  begun?: readonly FrameMoments[],
): Promise<FrameMoments[] | undefined> {
  const moments = source.layers.map((_, layer) => begun?.[layer].copy() ?? new FrameMoments(source.dim));
  for (const group of grouped(ids, source, READ_FRAMES)) {
    if (signal?.aborted) return undefined;
    const batch = await source.batch(group.map((id) => ({ id })));
    for (const [layer, sums] of moments.entries())
      for (const item of group.keys()) sums.add(layerRows(batch, layer, item));
  }
  return moments;
}

interface Rows {
  /** Of every layer that is searched in. */
  readonly groups: readonly RowGroup[];
  /** Of every layer, places of recordings that have a frame without a direction. */
  readonly directionless: readonly ReadonlySet<number>[];
}

async function unitRows(
  { source, layers }: SearchOptions,
  ids: readonly string[],
  standards: readonly Standard[],
): Promise<Rows> {
  const { dim } = source;
  const frames = ids.map((id) => source.framesOf(id));
  const total = frames.reduce((sum, count) => sum + count, 0);
  const groups = layers.map(() => ({ rows: new Float32Array(total * dim), frames }));
  const directionless = layers.map(() => new Set<number>());
  const batch = await source.batch(ids.map((id) => ({ id })));
  let at = 0;
  for (const [item, count] of frames.entries()) {
    for (const [i, layer] of layers.entries())
      if (!writeUnitRows(layerRows(batch, layer, item), standards[layer], groups[i].rows, at))
        directionless[i].add(item);
    at += count * dim;
  }
  return { groups, directionless };
}

/** A group of queries with their places among all. */
interface QueryGroup extends Rows {
  readonly places: readonly number[];
}

/**
 * Costs of every query in every document. Documents have at least two frames each: in one of one frame everything is found.
 * Returns undefined where the signal ended it; blocks that are done stay.
 * @param standards of every state of the source
 * @throws StillwaveError where a thread dies
 */
export async function* search(
  options: SearchOptions,
  standards: readonly Standard[],
): AsyncGenerator<SearchProgress, SearchResult | undefined, undefined> {
  const { source, queries, layers, folder, name, threads, signal } = options;
  await makeFolder(folder);
  const places = new Map(queries.map((id, i) => [id, i]));
  const long = queries.filter((id) => source.framesOf(id) >= FEWEST_QUERY_FRAMES);
  const groups: QueryGroup[] = [];
  for (const ids of grouped(long, source, GROUP_FRAMES))
    groups.push({ ...(await unitRows(options, ids, standards)), places: ids.map((id) => places.get(id)!) });
  const order = options.documents.map((id, place) => ({ id, place }));
  order.sort((a, b) => source.framesOf(a.id) - source.framesOf(b.id) || a.place - b.place);
  const placeOf = new Map(order.map(({ id, place }) => [id, place]));
  const total = order.length;
  const costs = layers.map(() => new Float64Array(queries.length * total));
  const pool = new Threads<SearchTask, Float64Array>(entryBeside("products", import.meta.url), {
    most: threads,
    data: { dim: source.dim },
    endsBetweenTasks: true,
  });
  let [done, already] = [0, 0];
  try {
    for (const [block, ids] of grouped(
      order.map(({ id }) => id),
      source,
      BLOCK_FRAMES,
    ).entries()) {
      if (signal?.aborted) return undefined;
      const file = join(folder, `${name}-${String(block).padStart(5, "0")}.f64`);
      const length = layers.length * queries.length * ids.length;
      const kept = await readCosts(file, length);
      const found = kept ?? (await searchBlock({ options, groups, standards, pool }, ids));
      if (!kept) await writeFileAtomic(file, new Uint8Array(found.buffer));
      for (const [i, row] of costs.entries())
        for (let query = 0; query < queries.length; query++)
          for (const [column, id] of ids.entries())
            row[query * total + placeOf.get(id)!] = found[(i * queries.length + query) * ids.length + column];
      done += ids.length;
      if (kept) already = done;
      yield { done, total, already };
    }
  } finally {
    await pool.close();
  }
  return { costs, shortQueries: queries.filter((id) => source.framesOf(id) < FEWEST_QUERY_FRAMES) };
}

/** Costs that an earlier search kept; undefined where there are none of this length. */
async function readCosts(file: string, length: number): Promise<Float64Array | undefined> {
  const bytes = await readFile(file).catch(() => undefined);
  if (bytes?.byteLength !== length * Float64Array.BYTES_PER_ELEMENT) return undefined;
  return new Float64Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}

interface BlockParts {
  readonly options: SearchOptions;
  readonly groups: readonly QueryGroup[];
  readonly standards: readonly Standard[];
  readonly pool: Threads<SearchTask, Float64Array>;
}

/** Costs [layers, queries, documents of the block]; 0 for queries that are too short. */
async function searchBlock({ options, groups, standards, pool }: BlockParts, ids: readonly string[]) {
  const { layers, queries } = options;
  const documents = await unitRows(options, ids, standards);
  const costs = new Float64Array(layers.length * queries.length * ids.length);
  const one = async (i: number, group: QueryGroup) => {
    const found = await pool.run({ queries: group.groups[i], documents: documents.groups[i] }).catch(deathInWords);
    for (const [row, query] of group.places.entries())
      for (const column of ids.keys()) {
        const isLost = group.directionless[i].has(row) || documents.directionless[i].has(column);
        const cost = isLost ? Number.NaN : found[row * ids.length + column];
        costs[(i * queries.length + query) * ids.length + column] = cost;
      }
  };
  await Promise.all(layers.flatMap((_, i) => groups.map((group) => one(i, group))));
  return costs;
}

function deathInWords(error: unknown): never {
  if (!(error instanceof ThreadDeath)) throw error;
  throw new StillwaveError(`a searching thread ended without a result (${error.message}); --resume goes on`);
}
