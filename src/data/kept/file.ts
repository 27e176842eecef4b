// One decoded utterance in a file: samples behind a header that says what they were decoded from, and by which version.

import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { crc32 } from "node:zlib";
import { writeFileAtomic } from "../../files.ts";
import { bytesOf } from "../../graph/array.ts";
import { packageVersion } from "../../package.ts";
import type { Samples } from "../batch.ts";
import { type RecordingPart, recordingKey } from "../recording.ts";

/** Magic and version, bytes a sample, checksum of the samples, hash of what they were decoded from. */
const HEADER_BYTES = 64;
const MAGIC = "stillwave samples 1\n";
const WIDTH_AT = 20;
const CHECKSUM_AT = 24;
const ORIGIN_AT = 32;
/** Samples depend on the decoders of this version. */
const DECODERS = packageVersion();

type KeptItem = RecordingPart & { readonly fileSamples: number };

/** The file of a recording: folders of 256 keep them small. */
export function keptPath(folder: string, recording: RecordingPart): string {
  const name = createHash("sha256")
    .update(recordingKey({ ...recording, path: resolve(recording.path) }))
    .digest("hex")
    .slice(0, 32);
  return join(folder, name.slice(0, 2), `${name}.pcm`);
}

/** What else the samples depend on: the recording as it is now, and the decoders. */
async function originOf({ path, fileSamples }: KeptItem): Promise<Buffer> {
  const { size, mtimeMs } = await stat(path);
  return createHash("sha256").update(`${DECODERS} ${size} ${mtimeMs} ${fileSamples}`).digest();
}

/** The whole utterance, if it is kept and was decoded from the file as it is now; a damaged one counts as not kept. */
export async function readKept(folder: string, item: KeptItem): Promise<Samples | undefined> {
  const bytes = await readFile(keptPath(folder, item)).catch(() => undefined);
  const origin = bytes && (await originOf(item).catch(() => undefined));
  if (!bytes || !origin || bytes.length < HEADER_BYTES) return undefined;
  const width = bytes.readUInt32LE(WIDTH_AT);
  const body = bytes.subarray(HEADER_BYTES);
  const isWhole = bytes.toString("latin1", 0, MAGIC.length) === MAGIC && body.length === width * item.fileSamples;
  const isOf = bytes.subarray(ORIGIN_AT, HEADER_BYTES).equals(origin);
  if (!isWhole || !isOf || bytes.readUInt32LE(CHECKSUM_AT) !== crc32(body)) return undefined;
  const { buffer, byteOffset } = body.byteOffset % width === 0 ? body : Buffer.from(new Uint8Array(body).buffer);
  return width === 2
    ? new Int16Array(buffer, byteOffset, item.fileSamples)
    : new Float32Array(buffer, byteOffset, item.fileSamples);
}

/** @throws StillwaveError naming the file where the disk refuses */
export async function writeKept(folder: string, item: KeptItem, samples: Samples): Promise<void> {
  const body = bytesOf(samples);
  const header = Buffer.alloc(HEADER_BYTES);
  header.write(MAGIC, "latin1");
  header.writeUInt32LE(samples.BYTES_PER_ELEMENT, WIDTH_AT);
  header.writeUInt32LE(crc32(body), CHECKSUM_AT);
  header.set(await originOf(item), ORIGIN_AT);
  await writeFileAtomic(keptPath(folder, item), [header, body], false);
}
