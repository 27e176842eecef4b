// Hidden states read from a cache: straight from the shards into the batch, each utterance checked when it is first read.
import { type FileHandle, open } from "node:fs/promises";
import { InternalError, StillwaveError } from "../../errors.ts";
import { batchMemory, type Span, spanOf } from "./assemble.ts";
import { type AudioSource, contentKey } from "./cache.types.ts";
import type { CacheIndex, Located } from "./cache-index.ts";
import type { FeatureSource } from "./features.types.ts";
import { BYTES_OF, type CacheFacts } from "./layout.ts";
import { checksum, readInto, shardFile } from "./shard.ts";

/** Shards that are open at a time. */
const MOST_OPEN = 128;
/** Utterances that are read at a time. */
const PARALLEL_READS = 4;
/** A shard found damaged is made again; a disk that damages it every time is not worth more tries. */
const MOST_REPAIRS = 3;

interface OpenShard {
  readonly file: FileHandle;
  /** Offsets of the utterances whose checksum was right. A shard opened again may be another file. */
  readonly checked: Set<number>;
}

/** A shard whose content is not what its index says. */
class DamagedShard extends Error {
  readonly shard: number;
  constructor(shard: number, reason: string) {
    super(reason);
    this.shard = shard;
  }
}

export interface CachedSourceOptions {
  readonly folder: string;
  readonly facts: CacheFacts;
  /** The file of every utterance. */
  readonly files: ReadonlyMap<string, AudioSource>;
  readonly index: CacheIndex;
  /** Makes a damaged shard again, and returns what the cache holds then. */
  readonly repair: (shard: number, reason: string) => Promise<CacheIndex>;
}

/** A source over a filled cache. One batch at a time. */
export function cachedSource(options: CachedSourceOptions): FeatureSource {
  const { folder, facts, files, repair } = options;
  const { layers, dim, samplesPerFrame, minSamples } = facts.upstream;
  const prepare = batchMemory(layers.length, dim, facts.dtype);
  const shards = new OpenShards(folder);
  let { index } = options;
  const locate = (id: string): Located => {
    const file = files.get(id);
    if (!file) throw new InternalError(`features: no utterance "${id}" here`);
    const found = index.entries.get(contentKey(file));
    if (!found) throw new StillwaveError(`${file.path}: its states are gone from ${folder}; start again`);
    return found;
  };
  return {
    layers,
    dim,
    samplesPerFrame,
    minSamples,
    dtype: facts.dtype,
    framesOf: (id) => locate(id).entry.frames,
    async batch(items) {
      for (let repairs = 0; ; repairs++) {
        const located = items.map(({ id }) => locate(id));
        const spans = items.map((item, i) => spanOf(item, located[i].entry.frames));
        const { batch, places } = prepare(spans.map(({ frames }) => frames));
        try {
          await eachOf(items.length, PARALLEL_READS, (i) => readItem(shards, facts, located[i], spans[i], places[i]));
          await shards.trim();
          return batch;
        } catch (error) {
          if (!(error instanceof DamagedShard)) throw error;
          if (repairs === MOST_REPAIRS)
            throw new StillwaveError(
              `${shardFile(folder, error.shard)}: ${error.message}, although it was made again ${MOST_REPAIRS} times; check the disk, or give another folder with --cache`,
            );
          await shards.forget(error.shard);
          index = await repair(error.shard, error.message);
        }
      }
    },
    close: () => shards.close(),
  };
}

/** Reads the wanted frames of every layer to their places. */
async function readItem(
  shards: OpenShards,
  { upstream, dtype }: CacheFacts,
  { entry, shard }: Located,
  span: Span,
  places: readonly Uint8Array[],
): Promise<void> {
  const rowBytes = upstream.dim * BYTES_OF[dtype];
  const layerBytes = entry.frames * rowBytes;
  const { file, checked } = await shards.open(shard);
  const read = async (targets: readonly Uint8Array[], position: number) => {
    const whole = await readInto(file, targets, position).catch((error: NodeJS.ErrnoException) => {
      throw new DamagedShard(shard, `it cannot be read (${error.code ?? error.message})`);
    });
    if (!whole) throw new DamagedShard(shard, "it ends too early");
  };
  const check = (parts: readonly Uint8Array[]) => {
    if (parts.reduce((crc, part) => checksum(part, crc), 0) !== entry.crc)
      throw new DamagedShard(shard, `the states of ${entry.path} do not match their checksum`);
    checked.add(entry.offset);
  };
  if (span.frames === entry.frames) {
    await read(places, entry.offset);
    if (!checked.has(entry.offset)) check(places);
    return;
  }
  if (!checked.has(entry.offset)) {
    const whole = new Uint8Array(places.length * layerBytes);
    await read([whole], entry.offset);
    check([whole]);
    for (const [layer, place] of places.entries()) {
      const from = layer * layerBytes + span.start * rowBytes;
      place.set(whole.subarray(from, from + place.length));
    }
    return;
  }
  for (const [layer, place] of places.entries())
    await read([place], entry.offset + layer * layerBytes + span.start * rowBytes);
}

/** Shards that are open, the longest unused closed first. */
class OpenShards {
  private readonly folder: string;
  private readonly files = new Map<number, Promise<OpenShard>>();

  constructor(folder: string) {
    this.folder = folder;
  }

  open(shard: number): Promise<OpenShard> {
    const known = this.files.get(shard);
    this.files.delete(shard);
    const file = known ?? this.openFile(shard);
    this.files.set(shard, file);
    return file;
  }

  /** Closes what is too many. Not while something is read. */
  async trim(): Promise<void> {
    for (const shard of [...this.files.keys()].slice(0, Math.max(0, this.files.size - MOST_OPEN)))
      await this.forget(shard);
  }

  async forget(shard: number): Promise<void> {
    const known = this.files.get(shard);
    this.files.delete(shard);
    await (await known?.catch(() => undefined))?.file.close();
  }

  async close(): Promise<void> {
    await Promise.all([...this.files.keys()].map((shard) => this.forget(shard)));
  }

  private async openFile(shard: number): Promise<OpenShard> {
    const path = shardFile(this.folder, shard);
    const file = await open(path, "r").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") throw new DamagedShard(shard, "its file is missing");
      throw new StillwaveError(`${path}: cannot be opened (${error.code})`);
    });
    return { file, checked: new Set() };
  }
}

/** Runs `work` for 0 .. count - 1, a few at a time. All have ended when it returns or throws the first failure. */
async function eachOf(count: number, most: number, work: (i: number) => Promise<void>): Promise<void> {
  const failures: unknown[] = [];
  let next = 0;
  const lane = async () => {
    while (next < count && failures.length === 0)
      await work(next++).catch((error: unknown) => {
        failures.push(error);
      });
  };
  await Promise.all(Array.from({ length: Math.min(most, count) }, lane));
  if (failures.length > 0) throw failures[0];
}
