// Reads a part of a FLAC file: its first frame is found by bisection over the file, and every frame is checked by its CRC.
// Frames say their place in the stream (RFC 9639 section 9.1.5), so nothing before the segment needs to be decoded.
import type { AudioFile } from "../audio-file.ts";
import type { DecodedAudio } from "../decoded.ts";
import { checkInside, type Segment } from "../segment.ts";
import { FlacFrameError } from "./bits.ts";
import { type FlacHeader, parseFlacHeader } from "./flac.ts";
import { decodeFlacFrame, type FlacFrame, frameSamples } from "./frame.ts";

/** Bytes read at once; a range this small is decoded through rather than divided further. */
const CHUNK_BYTES = 64 * 1024;
/** Above the largest frame that the format allows: 8 channels of 65,535 samples of 25 bits. */
const MAX_FRAME_BYTES = 2 ** 21;

/** Longest header of a frame, with its CRC. */
const MAX_HEADER_BYTES = 16;

/** A frame in the file. */
interface Located {
  readonly at: number;
  /** Its first sample. */
  readonly start: number;
  readonly frame: FlacFrame;
}

/** A FLAC file whose frames say their places. */
export class FlacSegments {
  readonly header: FlacHeader;
  private readonly frames: FrameFile;
  private readonly first: Located;
  /** The frame that the last segment ended in, where the next one usually begins. */
  private last: Located;

  private constructor(header: FlacHeader, frames: FrameFile, first: Located) {
    this.header = header;
    this.frames = frames;
    this.first = first;
    this.last = first;
  }

  /**
   * Undefined where the stream does not say its length, or its frames not their places.
   * @param head the file's first bytes, STREAMINFO among them
   */
  static async open(file: AudioFile, head: Uint8Array): Promise<FlacSegments | undefined> {
    const header = parseFlacHeader(head, file.path);
    if (header.samples === 0) return undefined;
    const frames = new FrameFile(file, header);
    const at = await frames.afterMetadata();
    const first = at === undefined ? undefined : await frames.frameAt(at);
    return first?.start === 0 ? new FlacSegments(header, frames, first) : undefined;
  }

  /**
   * The samples of `segment`, scaled as `decodeFlac` scales them. Undefined where a frame is damaged: the whole file can be
   * decoded then, and its damage named.
   * @throws StillwaveError if the segment is not inside the recording.
   */
  async read(segment: Segment): Promise<DecodedAudio | undefined> {
    const { samples, channels, bitsPerSample, sampleRateHz } = this.header;
    checkInside(segment, samples, this.frames.path);
    const channelSamples = Array.from({ length: channels }, () => new Float32Array(segment.samples));
    const scale = 2 ** -(bitsPerSample - 1);
    const end = segment.start + segment.samples;
    const from = this.last.start <= segment.start ? this.last : this.first;
    let here = await lastBefore(this.frames, from, segment.start);
    for (;;) {
      const next = here.start + here.frame.blockSamples;
      for (const [c, into] of channelSamples.entries()) copyPart(here, c, segment, into, scale);
      this.last = here;
      if (next >= end) return { channelSamples, sampleRateHz };
      const following = await this.frames.frameAt(here.at + here.frame.bytes);
      if (following?.start !== next) return undefined;
      here = following;
    }
  }
}

/** A frame at or before `sample`, close to it in the file. */
async function lastBefore(frames: FrameFile, from: Located, sample: number): Promise<Located> {
  let low = from;
  let high = frames.bytes;
  while (high - low.at > CHUNK_BYTES && low.start + low.frame.blockSamples <= sample) {
    const middle = Math.floor((low.at + high) / 2);
    const found = await frames.firstFrame(middle, high);
    if (found && found.start <= sample) low = found;
    else high = middle;
  }
  return low;
}

/** Adds what channel `c` of a frame holds of the segment. */
function copyPart({ start, frame }: Located, c: number, segment: Segment, into: Float32Array, scale: number): void {
  const block = frame.channelSamples[c];
  const from = Math.max(0, segment.start - start);
  const to = Math.min(block.length, segment.start + segment.samples - start);
  for (let i = from, at = start + from - segment.start; i < to; i++, at++) into[at] = block[i] * scale;
}

/** The frames of a file, read through a window. */
class FrameFile {
  readonly bytes: number;
  readonly path: string;
  private readonly file: AudioFile;
  private readonly header: FlacHeader;
  private window: Uint8Array = new Uint8Array(0);
  private windowAt = 0;

  constructor(file: AudioFile, header: FlacHeader) {
    this.file = file;
    this.header = header;
    this.bytes = file.bytes;
    this.path = file.path;
  }

  /** Where the first frame begins; undefined if the metadata does not end. */
  async afterMetadata(): Promise<number | undefined> {
    for (let at = 4; at + 4 <= this.bytes; ) {
      const [kind, high, middle, low] = await this.file.read(at, 4);
      at += 4 + ((high << 16) | (middle << 8) | low);
      if (kind & 0x80) return at;
    }
    return undefined;
  }

  /** The frame that begins at byte `at`; undefined if none does, it is damaged, or does not say its place. */
  async frameAt(at: number): Promise<Located | undefined> {
    let bytes = this.held(at);
    for (let count = CHUNK_BYTES; ; count *= 8) {
      const frame = bytes.length >= MAX_HEADER_BYTES ? this.decode(bytes) : undefined;
      if (frame) {
        const { blockSamples = Number.NaN } = this.header;
        const start = frame.hasVariableBlocks ? frame.number : frame.number * blockSamples;
        return Number.isNaN(start) ? undefined : { at, start, frame };
      }
      // the frame may go on behind what was read
      if (at + bytes.length >= this.bytes || count > MAX_FRAME_BYTES) return undefined;
      bytes = await this.read(at, count);
      if (frameSamples(bytes, this.header) === undefined) return undefined;
    }
  }

  private decode(bytes: Uint8Array): FlacFrame | undefined {
    try {
      return decodeFlacFrame(bytes, this.header);
    } catch (error) {
      if (error instanceof FlacFrameError) return undefined;
      throw error;
    }
  }

  /** The first frame that begins in [from, to). */
  async firstFrame(from: number, to: number): Promise<Located | undefined> {
    for (let base = from; base < to; base += CHUNK_BYTES - MAX_HEADER_BYTES) {
      const bytes = await this.read(base, CHUNK_BYTES);
      const last = Math.min(bytes.length, to - base, CHUNK_BYTES - MAX_HEADER_BYTES);
      for (let i = bytes.indexOf(0xff); i >= 0 && i < last; i = bytes.indexOf(0xff, i + 1)) {
        const found = frameSamples(bytes.subarray(i), this.header) ? await this.frameAt(base + i) : undefined;
        if (found) return found;
      }
    }
    return undefined;
  }

  /** What the window holds from `at` on. */
  private held(at: number): Uint8Array {
    const from = at - this.windowAt;
    return from >= 0 && from < this.window.length ? this.window.subarray(from) : new Uint8Array(0);
  }

  private async read(at: number, count: number): Promise<Uint8Array> {
    this.window = await this.file.read(at, count);
    this.windowAt = at;
    return this.window;
  }
}
