// Reads FLAC: the STREAMINFO block, and exact samples checked against the count and the MD5 that it declares.
import { createHash } from "node:crypto";
import { StillwaveError } from "../../errors.ts";
import { type AudioHeader, checkedHeader, type DecodedAudio } from "../decoded.ts";
import { textAt } from "../format.ts";
import { FlacFrameError } from "./bits.ts";
import { decodeFlacFrame } from "./frame.ts";

/** STREAMINFO (RFC 9639 section 8.2). `samples` is 0 and `md5` undefined where the encoder did not know them. */
export interface FlacHeader extends AudioHeader {
  readonly bitsPerSample: number;
  readonly md5: string | undefined;
  /** Samples of every block but the last; undefined where they vary. */
  readonly blockSamples: number | undefined;
}

const AGAIN = "fetch or convert it again";
/** STREAMINFO's body comes first: behind "fLaC" and the block's own header. */
const INFO_AT = 8;
const INFO_BYTES = 34;

/** @throws StillwaveError if the header is truncated or impossible. */
export function parseFlacHeader(bytes: Uint8Array, path: string): FlacHeader {
  if (!textAt(bytes, 0, "fLaC") || bytes.length < INFO_AT + INFO_BYTES || (bytes[4] & 0x7f) !== 0) {
    throw new StillwaveError(`${path}: FLAC truncated or damaged in its first ${INFO_AT + INFO_BYTES} bytes; ${AGAIN}`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset + INFO_AT, INFO_BYTES);
  const packed = view.getUint32(10);
  const sampleRateHz = packed >>> 12;
  const channels = ((packed >>> 9) & 7) + 1;
  const bitsPerSample = ((packed >>> 4) & 31) + 1;
  const samples = (packed & 15) * 2 ** 32 + view.getUint32(14);
  checkedHeader({ samples, sampleRateHz, channels }, path);
  if (bitsPerSample < 4 || bitsPerSample > 24) {
    throw new StillwaveError(
      `${path}: FLAC of ${bitsPerSample} bits a sample; 4 to 24 are read, convert it to 24 or 16 first`,
    );
  }
  const digest = Buffer.from(bytes.buffer, bytes.byteOffset + INFO_AT + 18, 16).toString("hex");
  const md5 = /^0+$/.test(digest) ? undefined : digest;
  const blockSamples = view.getUint16(0) === view.getUint16(2) ? view.getUint16(0) : undefined;
  return { samples, sampleRateHz, channels, bitsPerSample, md5, blockSamples };
}

/**
 * Decodes a whole FLAC file to x / 2^(bits-1), exactly as libsndfile does. Every checksum is verified.
 * @throws StillwaveError if anything is missing or damaged.
 */
export function decodeFlac(bytes: Uint8Array, path: string): DecodedAudio {
  const { channels, sampleRateHz } = parseFlacHeader(bytes, path);
  const blocks = [...flacBlocks(bytes, path)];
  const samples = blocks.reduce((sum, block) => sum + block[0].length, 0);
  const channelSamples = Array.from({ length: channels }, (_, c) => {
    const joined = new Float32Array(samples);
    let to = 0;
    for (const { [c]: channel } of blocks) {
      joined.set(channel, to);
      to += channel.length;
    }
    return joined;
  });
  return { channelSamples, sampleRateHz };
}

/** The same block by block, each an array a channel; what only the end shows is thrown at the end. */
export function* flacBlocks(bytes: Uint8Array, path: string): Generator<Float32Array[], void, undefined> {
  const header = parseFlacHeader(bytes, path);
  const { channels, bitsPerSample, sampleRateHz } = header;
  const scale = 2 ** -(bitsPerSample - 1);
  const hash = header.md5 === undefined ? undefined : createHash("md5");
  let at = afterMetadata(bytes, path);
  let samples = 0;
  while (at < bytes.length && (header.samples === 0 || samples < header.samples)) {
    const frame = readFrame(bytes, at, samples, header, path);
    at += frame.bytes;
    samples += frame.channelSamples[0].length;
    checkedHeader({ samples, sampleRateHz, channels }, path);
    hash?.update(interleaved(frame.channelSamples, bitsPerSample));
    yield frame.channelSamples.map((channel) => scaled(channel, scale));
  }
  if (header.samples > 0 && samples !== header.samples) {
    const what = samples < header.samples ? "truncated" : "damaged";
    throw new StillwaveError(
      `${path}: ${what}: the header says ${header.samples} samples, the file has ${samples}; ${AGAIN}`,
    );
  }
  if (hash && samples > 0 && hash.digest("hex") !== header.md5) {
    throw new StillwaveError(`${path}: damaged: the samples do not have the MD5 that the header declares; ${AGAIN}`);
  }
}

function scaled(integers: Int32Array, scale: number): Float32Array {
  const floats = new Float32Array(integers.length);
  for (let i = 0; i < floats.length; i++) floats[i] = integers[i] * scale;
  return floats;
}

function afterMetadata(bytes: Uint8Array, path: string): number {
  let at = 4;
  for (;;) {
    if (at + 4 > bytes.length) throw new StillwaveError(`${path}: FLAC truncated in its metadata; ${AGAIN}`);
    const isLast = (bytes[at] & 0x80) !== 0;
    at += 4 + ((bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]);
    if (isLast) return at;
  }
}

function readFrame(bytes: Uint8Array, at: number, samples: number, header: FlacHeader, path: string) {
  try {
    return decodeFlacFrame(bytes.subarray(at), header);
  } catch (error) {
    if (!(error instanceof FlacFrameError)) throw error;
    throw new StillwaveError(
      `${path}: truncated or damaged at byte ${at}, sample ${samples}: ${error.message}; ${AGAIN}`,
    );
  }
}

/** Interleaved little-endian samples, each in the fewest whole bytes: what the MD5 is taken over. */
function interleaved(channels: readonly Int32Array[], bits: number): Uint8Array {
  const width = Math.ceil(bits / 8);
  const stride = channels.length * width;
  const packed = new Uint8Array(channels[0].length * stride);
  for (const [c, channel] of channels.entries()) {
    for (let i = 0, at = c * width; i < channel.length; i++, at += stride) {
      for (let b = 0; b < width; b++) packed[at + b] = channel[i] >> (8 * b);
    }
  }
  return packed;
}
