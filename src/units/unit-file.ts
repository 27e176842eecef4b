// Units of a corpus in one file: a label for every frame of every utterance, read for any part of one.
import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { z } from "zod";
import { InternalError, StillwaveError } from "../errors.ts";
import { writeFileAtomic } from "../files.ts";
import { bytesOf } from "../graph/array.ts";
import { parseJson } from "./json.ts";

/** `SWUNITS` and the version. */
const MAGIC = "SWUNITS1";
/** Ids of a million utterances take some 30 MB. */
const MAX_HEADER_BYTES = 2 ** 30;
/** Read, and hashed, at once. */
const READ_BYTES = 2 ** 28;

const count = z.int().min(0);
const headerSchema = z.strictObject({
  clusters: z.int().min(1).max(65_536),
  samplesPerFrame: z.int().min(1),
  key: z.string(),
  data: z.string(),
  sha256: z.string(),
  ids: z.array(z.string()),
  frames: z.array(count),
});

/** What units are units of. */
export interface UnitFacts {
  readonly clusters: number;
  /** At 16 kHz. */
  readonly samplesPerFrame: number;
  /** Of the features and centroids that they come from. */
  readonly key: string;
  /** Fingerprint of the corpus. */
  readonly data: string;
}

export interface UnitFile extends UnitFacts {
  readonly ids: readonly string[];
  /** All units of an utterance. @throws StillwaveError for one that has none */
  of(id: string): Uint16Array;
  /**
   * Units of the `frames` frames of a part that begins at sample `start` of the utterance: those of the frame nearest to where
   * the part begins (fairseq's rule), and of the frames after it. A part that begins between frames may reach one frame past
   * the last, which counts twice then.
   * @throws StillwaveError where the utterance is not there, or has fewer frames
   */
  part(id: string, start: number, frames: number): Uint16Array;
}

/** Units of an utterance. */
export interface LabelledUtterance {
  readonly id: string;
  readonly units: Uint16Array;
}

/** Writes the units of all utterances, in order. */
export async function writeUnits(path: string, facts: UnitFacts, all: readonly LabelledUtterance[]): Promise<void> {
  const hash = createHash("sha256");
  for (const { units } of all) hash.update(bytesOf(units));
  const ids = all.map(({ id }) => id);
  const frames = all.map(({ units }) => units.length);
  const header = Buffer.from(JSON.stringify({ ...facts, sha256: hash.digest("hex"), ids, frames }));
  // the units begin at an even place
  const padded = Buffer.concat([header, Buffer.alloc(header.length % 2, " ")]);
  const start = Buffer.alloc(MAGIC.length + 4);
  start.write(MAGIC, "latin1");
  start.writeUInt32LE(padded.length, MAGIC.length);
  function* chunks() {
    yield start;
    yield padded;
    for (const { units } of all) yield bytesOf(units);
  }
  await writeFileAtomic(path, chunks());
}

/**
 * Reads and checks a file of units: 2 bytes a frame stay in memory.
 * @throws StillwaveError where it is missing, cut off, altered or none
 */
export async function readUnits(path: string): Promise<UnitFile> {
  const failed = ({ code, message }: NodeJS.ErrnoException): never => {
    if (code === "ENOENT") throw new StillwaveError(`${path}: no such file of units; resume the run, which makes it`);
    throw new StillwaveError(`${path}: cannot be read (${code ?? message})`);
  };
  const file = await open(path).catch(failed);
  try {
    const { size } = await file.stat().catch(failed);
    return await parseUnits(path, size, (from, into) => fill(file, from, into).catch(failed));
  } finally {
    await file.close();
  }
}

/** Fills `into` with the bytes from `from` on, by parts: a file may be larger than what is read at once. */
async function fill(file: FileHandle, from: number, into: Uint8Array): Promise<void> {
  for (let at = 0; at < into.length; ) {
    const { bytesRead } = await file.read(into, at, Math.min(READ_BYTES, into.length - at), from + at);
    if (bytesRead === 0) return;
    at += bytesRead;
  }
}

async function parseUnits(
  path: string,
  size: number,
  read: (from: number, into: Uint8Array) => Promise<void>,
): Promise<UnitFile> {
  const bad = (what: string): never => {
    throw new StillwaveError(`${path}: ${what}; delete it and resume the run, which makes it again`);
  };
  const start = Buffer.alloc(MAGIC.length + 4);
  await read(0, start);
  if (size < start.length || start.toString("latin1", 0, MAGIC.length) !== MAGIC) return bad("no file of units");
  const headerBytes = start.readUInt32LE(MAGIC.length);
  const begin = start.length + headerBytes;
  if (headerBytes % 2 || headerBytes > MAX_HEADER_BYTES || begin > size) return bad("cut off");
  const header = Buffer.alloc(headerBytes);
  await read(start.length, header);
  const parsed = headerSchema.safeParse(parseJson(header.toString("utf8")));
  if (!parsed.success) return bad("its header is damaged");
  const { ids, frames, sha256, ...facts } = parsed.data;
  const total = frames.reduce((sum, own) => sum + own, 0);
  if (ids.length !== frames.length || new Set(ids).size !== ids.length) return bad("its list of utterances is damaged");
  if (size - begin !== 2 * total)
    return bad(`holds ${Math.floor((size - begin) / 2)} units where ${total} are announced`);
  const units = new Uint16Array(total);
  await read(begin, bytesOf(units));
  const hash = createHash("sha256");
  for (let at = 0; at < total; at += READ_BYTES) hash.update(bytesOf(units.subarray(at, at + READ_BYTES)));
  if (hash.digest("hex") !== sha256) return bad("was altered after it was written");
  if (units.some((unit) => unit >= facts.clusters)) return bad(`names units beyond its ${facts.clusters} clusters`);
  return unitFile(path, facts, ids, frames, units);
}

function unitFile(
  path: string,
  facts: UnitFacts,
  ids: readonly string[],
  frames: readonly number[],
  units: Uint16Array,
): UnitFile {
  const places = new Map<string, Uint16Array>();
  let at = 0;
  for (const [i, id] of ids.entries()) {
    places.set(id, units.subarray(at, at + frames[i]));
    at += frames[i];
  }
  const of = (id: string): Uint16Array => {
    const found = places.get(id);
    if (!found)
      throw new StillwaveError(
        `${path}: has no units of utterance "${id}"; they were made for other data: resume with that`,
      );
    return found;
  };
  return {
    ...facts,
    ids,
    of,
    part(id, start, wanted) {
      const all = of(id);
      const first = Math.round(start / facts.samplesPerFrame);
      if (wanted < 0 || start < 0) throw new InternalError(`units: ${wanted} frames from sample ${start}`);
      if (wanted > 0 && (first + wanted > all.length + 1 || all.length === 0))
        throw new StillwaveError(
          `${path}: utterance "${id}" has ${all.length} units, and frames ${first} to ${first + wanted - 1} are asked for; ` +
            "the units were made for other data, or with another front end",
        );
      return Uint16Array.from({ length: wanted }, (_, i) => all[Math.min(all.length - 1, first + i)]);
    },
  };
}
