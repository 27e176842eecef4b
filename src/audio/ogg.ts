// Reads what Ogg page headers say: codec parameters from the first page, length from the last granule position.
// Read here because decoders do not tell that the last page is missing, and a length is needed without decoding.
import { StillwaveError } from "../errors.ts";
import { type AudioHeader, checkedHeader } from "./decoded.ts";
import { parseFlacHeader } from "./flac/flac.ts";
import { type AudioFormat, textAt } from "./format.ts";

/** Largest Ogg page: 27 header bytes, 255 lacing values, 255 * 255 bytes of packets. A tail this long holds the last page. */
export const OGG_MAX_PAGE_BYTES = 27 + 255 + 255 * 255;

/**
 * Samples, rate and channels of an Ogg file from its first and last bytes. Opus counts in 48 kHz whatever was encoded,
 * less the pre-skip (RFC 7845 section 4).
 * @param head at least the first page; @param tail the last OGG_MAX_PAGE_BYTES bytes (or the whole file)
 * @throws StillwaveError if the last page is cut or does not end the stream that the first one began.
 */
export function parseOggHeader(format: AudioFormat, head: Uint8Array, tail: Uint8Array, path: string): AudioHeader {
  const headView = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const body = 27 + head[26];
  const needed = body + (format === "ogg-flac" ? 9 + 42 : 30);
  if (head.length < Math.min(needed, body + 19)) throw new StillwaveError(`${path}: Ogg truncated in its first page`);
  const last = lastPage(tail, path);
  if (last.serial !== headView.getUint32(14, true)) {
    throw new StillwaveError(
      `${path}: Ogg with several streams, one after or inside another; split it or convert it to FLAC first`,
    );
  }
  if (format === "ogg-opus") {
    const channels = head[body + 9];
    const preSkip = headView.getUint16(body + 10, true);
    return checkedHeader({ samples: Math.max(0, last.granule - preSkip), sampleRateHz: 48000, channels }, path);
  }
  if (format === "ogg-vorbis") {
    if (head.length < body + 30) throw new StillwaveError(`${path}: Ogg truncated in its first page`);
    const sampleRateHz = headView.getUint32(body + 12, true);
    return checkedHeader({ samples: last.granule, sampleRateHz, channels: head[body + 11] }, path);
  }
  const { sampleRateHz, channels } = parseFlacHeader(head.subarray(body + 9), path);
  return checkedHeader({ samples: last.granule, sampleRateHz, channels }, path);
}

function lastPage(tail: Uint8Array, path: string): { granule: number; serial: number } {
  const view = new DataView(tail.buffer, tail.byteOffset, tail.byteLength);
  for (let at = tail.length - 27; at >= 0; at--) {
    if (tail[at] !== 0x4f || !textAt(tail, at, "OggS") || tail[at + 4] !== 0) continue;
    const segments = tail[at + 26];
    if (at + 27 + segments > tail.length) continue;
    let end = at + 27 + segments;
    for (let s = 0; s < segments; s++) end += tail[at + 27 + s];
    // "OggS" inside a packet can look like a page; a real last page ends where the file ends and closes the stream
    if (end !== tail.length || (tail[at + 5] & 4) === 0) continue;
    const granule = view.getBigInt64(at + 6, true);
    if (granule < 0n) break;
    return { granule: Number(granule), serial: view.getUint32(at + 14, true) };
  }
  throw new StillwaveError(`${path}: truncated: the Ogg stream has no complete last page; fetch or convert it again`);
}

/**
 * The native FLAC stream inside an Ogg FLAC file: its packets one after another, without the mapping header.
 * @throws StillwaveError if a page is cut or of another stream.
 */
export function flacInsideOgg(bytes: Uint8Array, path: string): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    const body = at + 27 + (bytes[at + 26] ?? 0);
    if (!textAt(bytes, at, "OggS") || body > bytes.length)
      throw new StillwaveError(`${path}: damaged: no Ogg page at byte ${at}`);
    let end = body;
    for (let s = at + 27; s < body; s++) end += bytes[s];
    if (end > bytes.length) throw new StillwaveError(`${path}: truncated inside the Ogg page at byte ${at}`);
    parts.push(bytes.subarray(at === 0 ? body + 9 : body, end));
    at = end;
  }
  return Buffer.concat(parts);
}
