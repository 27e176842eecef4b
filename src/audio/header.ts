// What a file's header says of its length, rate and channels, read without decoding and without reading the whole file.
import { StillwaveError } from "../errors.ts";
import { type AudioFile, withAudioFile } from "./audio-file.ts";
import type { AudioHeader } from "./decoded.ts";
import { parseFlacHeader } from "./flac/flac.ts";
import { type AudioFormat, detectFormat } from "./format.ts";
import { MAX_PAGE_BYTES } from "./ogg/pages.ts";
import { isOgg, type OggFormat, probeOgg, readOgg } from "./ogg/stream.ts";
import { isPcm, type PcmContainer, pcmHeader } from "./pcm/decode.ts";
import { withoutChunksBehind } from "./pcm/extent.ts";
import type { PcmLayout } from "./pcm/samples.ts";
import { bytesBeforeAudio, withoutTagsBehind } from "./tags.ts";

/** Bytes that are read first; more where a header turns out to be longer. */
const HEAD_BYTES = 4096;
const GROWTH = 16;
/** Where chunks behind streamed samples are looked for. */
const PCM_TAIL_BYTES = 2 ** 20;
/** Zeros before the audio that are skipped. */
const MAX_ZERO_BYTES = 2 ** 24;
/** Where Ogg's headers and its first page of audio usually end. */
const OGG_HEAD_BYTES = 65536;
/** Holds the last page, be it as large as pages get, and some tags behind it. */
const OGG_TAIL_BYTES = 2 * MAX_PAGE_BYTES;

/**
 * The header of a file; undefined where only decoding would tell (MP3, AAC, M4A, unusual beginnings).
 * @throws StillwaveError naming the file if it cannot be read, its header is damaged, or truncation is visible from it.
 */
export function readHeader(path: string): Promise<AudioHeader | undefined> {
  return withAudioFile(path, async (file) => {
    const begun = await beginning(file);
    const header = begun && (await headerOf(begun));
    if (header?.samples === 0) throw new StillwaveError(`${path}: holds no samples`);
    return header;
  });
}

async function headerOf({ format, audio, head }: Beginning): Promise<AudioHeader | undefined> {
  if (isPcm(format)) return readLayout(format, audio);
  if (isOgg(format)) return readOggHeader(format, audio);
  // the headers of MP3, AAC and M4A do not say the length reliably
  if (format !== "flac") return undefined;
  const header = parseFlacHeader(head, audio.path);
  return header.samples > 0 ? header : undefined;
}

/** Where the audio of a file begins. */
interface Beginning {
  readonly format: AudioFormat;
  /** The file from behind the tags before its audio on. */
  readonly audio: AudioFile;
  /** Its first bytes. */
  readonly head: Uint8Array;
}

/** Looks behind the tags; undefined where what begins there is not to be seen from a few bytes. */
export async function beginning(file: AudioFile): Promise<Beginning | undefined> {
  for (let start = 0; ; ) {
    const from = start;
    const head = await file.read(from, HEAD_BYTES);
    start += bytesBeforeAudio(head);
    if (start > from) continue;
    if (from > 0 && head.length === 0) return undefined;
    if (head.length === HEAD_BYTES && from < MAX_ZERO_BYTES && head.subarray(0, -16).every((byte) => byte === 0)) {
      // the last bytes may begin what follows the zeros
      start += HEAD_BYTES - 16;
      continue;
    }
    const audio: AudioFile = {
      path: file.path,
      bytes: file.bytes - from,
      read: (at, count) => file.read(from + at, count),
    };
    return { format: detectFormat(head, file.path), audio, head };
  }
}

/** Where the samples of a file are. @throws StillwaveError for anything malformed, truncated or not read. */
export async function readLayout(container: PcmContainer, file: AudioFile): Promise<PcmLayout> {
  const layout = await growing(file, HEAD_BYTES, (bytes) => pcmHeader(container)(bytes, file.bytes, file.path));
  if (!layout.isStreamed) return layout;
  const tail = await file.read(Math.max(0, file.bytes - PCM_TAIL_BYTES), PCM_TAIL_BYTES);
  return withoutChunksBehind(layout, tail, file.bytes);
}

async function readOggHeader(format: OggFormat, file: AudioFile): Promise<AudioHeader> {
  const end = await file.read(Math.max(0, file.bytes - OGG_TAIL_BYTES), OGG_TAIL_BYTES);
  return growing(file, OGG_HEAD_BYTES, (bytes) =>
    bytes.length < file.bytes
      ? probeOgg(format, bytes, withoutTagsBehind(end), file.path)
      : readOgg(format, withoutTagsBehind(bytes), file.path).header,
  );
}

/** What `parse` makes of the first bytes: of more and more of them, up to the whole file, while it returns undefined. */
async function growing<T>(
  file: AudioFile,
  firstCount: number,
  parse: (bytes: Uint8Array) => T | undefined,
): Promise<T> {
  for (let count = firstCount; ; count *= GROWTH) {
    const bytes = await file.read(0, count);
    const found = parse(bytes);
    if (found !== undefined) return found;
    if (bytes.length < count)
      throw new StillwaveError(`${file.path}: truncated in its header; fetch or convert it again`);
  }
}
