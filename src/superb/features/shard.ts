// A shard of a cache: the states of many utterances in one file, and a small index beside it that makes it count.

import { type FileHandle, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { floatsToHalves } from "../../checkpoint/index.ts";
import { partOf } from "../../data/recording.ts";
import { StillwaveError } from "../../errors.ts";
import { writeFileAtomic } from "../../files.ts";
import { bytesOf } from "../../graph/array.ts";
import type { UtteranceStates } from "../../upstream/frames.ts";
import type { AudioSource, CacheEntry, Shard } from "./cache.types.ts";
import { type CacheFacts, stateBytes } from "./layout.ts";

/** Largest float16. */
const MAX_HALF = 65504;
/** zlib and the kernel take up to 2 GiB at once. */
const MOST_BYTES = 2 ** 30;

const name = (number: number) => `shard-${String(number).padStart(5, "0")}`;
export const shardFile = (folder: string, number: number): string => join(folder, `${name(number)}.bin`);
const indexFile = (folder: string, number: number): string => join(folder, `${name(number)}.json`);

/** The number in the name of a shard's file or index. */
export function shardNumber(file: string): number | undefined {
  const match = /^shard-(\d{5,8})\.(bin|json)$/.exec(file);
  return match ? Number(match[1]) : undefined;
}

/** CRC-32 of bytes after those that gave `start`. */
export function checksum(bytes: Uint8Array, start = 0): number {
  let crc = start;
  for (let from = 0; from < bytes.length; from += MOST_BYTES) crc = crc32(bytes.subarray(from, from + MOST_BYTES), crc);
  return crc;
}

/**
 * States as they are stored.
 * @throws StillwaveError naming a layer that float16 cannot hold
 */
export function encodeStates({ data }: UtteranceStates, { dtype, upstream }: CacheFacts): Uint8Array {
  if (dtype === "float32") return bytesOf(data);
  const beyond = data.findIndex((value) => Math.abs(value) > MAX_HALF);
  if (beyond >= 0) {
    const layer = upstream.layers[Math.floor((beyond * upstream.layers.length) / data.length)];
    throw new StillwaveError(
      `state "${layer}" holds ${data[beyond]}, beyond float16 (${MAX_HALF}); store the features as float32`,
    );
  }
  return new Uint8Array(floatsToHalves(data).buffer);
}

/** Gathers states and writes them as one shard. */
export class ShardWriter {
  private readonly folder: string;
  private readonly number: number;
  private readonly entries: CacheEntry[] = [];
  private readonly chunks: Uint8Array[] = [];
  private size = 0;

  constructor(folder: string, number: number) {
    this.folder = folder;
    this.number = number;
  }

  /** Bytes gathered. */
  get bytes(): number {
    return this.size;
  }

  add(source: AudioSource, frames: number, bytes: Uint8Array): void {
    const { samples, bytes: fileBytes, mtimeMs } = source;
    const crc = checksum(bytes);
    this.entries.push({
      ...partOf(source),
      samples,
      bytes: fileBytes,
      mtimeMs,
      frames,
      offset: this.size,
      crc,
    });
    this.chunks.push(bytes);
    this.size += bytes.length;
  }

  /** The states first, durable under their name; then the index. */
  async write(): Promise<Shard> {
    const { folder, number, entries, size: bytes } = this;
    await writeFileAtomic(shardFile(folder, number), this.chunks);
    const rows = JSON.stringify(entries);
    const check = checksum(Buffer.from(rows));
    await writeFileAtomic(indexFile(folder, number), `{"bytes":${bytes},"check":${check},"entries":${rows}}\n`);
    return { number, bytes, entries };
  }
}

/** Reads a shard's index and looks at its file. A text says what is wrong with it. */
export async function readShard(folder: string, number: number, facts: CacheFacts): Promise<Shard | string> {
  const text = await readFile(indexFile(folder, number), "utf8").catch(() => undefined);
  if (text === undefined) return "its index cannot be read";
  const content = parseIndex(text);
  if (!content) return "its index is damaged";
  const info = await stat(shardFile(folder, number)).catch(() => undefined);
  if (!info) return "its file is missing";
  const { bytes, entries } = content;
  if (info.size !== bytes) return `its file has ${info.size} bytes instead of ${bytes}`;
  const fits = entries.every(({ offset, samples }) => offset >= 0 && offset + stateBytes(facts, samples) <= bytes);
  return fits ? { number, bytes, entries } : "its index does not fit its file";
}

function parseIndex(text: string): { bytes: number; entries: CacheEntry[] } | undefined {
  try {
    const content = JSON.parse(text) as { bytes: number; check: number; entries: CacheEntry[] };
    const whole = checksum(Buffer.from(JSON.stringify(content.entries))) === content.check;
    return whole && Number.isSafeInteger(content.bytes) ? content : undefined;
  } catch {
    return undefined;
  }
}

/** The index first: a file without one is nobody's. */
export async function removeShard(folder: string, number: number): Promise<void> {
  await rm(indexFile(folder, number), { force: true });
  await rm(shardFile(folder, number), { force: true });
}

/** Fills `targets` one after the other from `position` on. false where the file ends before. */
export async function readInto(file: FileHandle, targets: readonly Uint8Array[], position: number): Promise<boolean> {
  let [left, at] = [targets.filter(({ length }) => length > 0), position];
  while (left.length > 0) {
    let { bytesRead } = await file.readv(left, at);
    if (bytesRead === 0) return false;
    at += bytesRead;
    let whole = 0;
    while (whole < left.length && bytesRead >= left[whole].length) bytesRead -= left[whole++].length;
    left = left.slice(whole);
    if (bytesRead > 0) left[0] = left[0].subarray(bytesRead);
  }
  return true;
}
