// Joins the pages of an Ogg stream to packets and keeps its time: where it starts, how many samples it has, what is missing.
import { StillwaveError } from "../../errors.ts";
import { type AudioHeader, checkedHeader } from "../decoded.ts";
import { parseFlacHeader } from "../flac/flac.ts";
import { flacSamples, opusSamples, type PacketSamples, vorbisSamples } from "./durations.ts";
import type { OggPage } from "./pages.ts";

export type OggFormat = "ogg-opus" | "ogg-vorbis" | "ogg-flac";

/** What to do about a file that is not whole. */
export const AGAIN = "fetch or convert it again";

/**
 * Programs that cut without decoding write such pages, ffmpeg -ss with -c copy among them. RFC 7845 (section 4.3) and
 * libopusfile refuse them, and what ffmpeg reads of them is neither what it holds nor what it counts.
 */
const CUT_AT_START =
  "its first page of audio counts fewer samples than it holds, as a cut without decoding leaves it (-c copy); cut it again from the original with decoding";

/** "\x7fFLAC", version and number of header packets, before the native stream begins. */
export const FLAC_MAPPING_BYTES = 9;

/** Takes the pages of one stream in their order. */
export class OggReader {
  readonly headers: Uint8Array[] = [];
  /** Packets of audio, whole. */
  readonly packets: Uint8Array[] = [];
  readonly notes: string[] = [];
  private readonly format: OggFormat;
  private readonly path: string;
  private before: OggPage | undefined;
  private open: Uint8Array[] | undefined;
  private packetSamples: PacketSamples | undefined;
  /** Samples of all packets so far, and of those that end on the last page that ended any. */
  private total = 0;
  private lastPageSamples = 0;
  private audioPages = 0;
  /** Position at which the stream's samples begin, and at which they end. */
  private start: number | undefined;
  private end = 0;

  constructor(format: OggFormat, path: string) {
    this.format = format;
    this.path = path;
  }

  /** @throws StillwaveError if a page is missing, or of another stream. */
  add(page: OggPage): void {
    this.checkOrder(page);
    const known = this.packets.length;
    let samples = 0;
    for (const packet of this.packetsOf(page)) samples += this.take(packet);
    if (this.packets.length > known) {
      this.total += samples;
      this.lastPageSamples = samples;
      this.audioPages++;
    }
    this.before = page;
    if (page.granule === undefined || this.packets.length === 0) return;
    this.start ??= page.granule - this.total;
    this.end = page.granule;
  }

  /** Where the stream starts, once a page of audio has told it; undefined too where a later page may change that. */
  get startGranule(): number | undefined {
    return this.start !== undefined && this.start >= 0 ? this.start : undefined;
  }

  /** What the stream's first packets say; `end` is the position at which it ends. */
  header(start: number, end: number): AudioHeader {
    const [first] = this.headers;
    if (!first) throw new StillwaveError(`${this.path}: Ogg truncated in its first page`);
    const samples = Math.max(0, end - start);
    if (this.format === "ogg-flac") {
      const { sampleRateHz, channels, samples: declared } = flacInfo(first, this.path);
      if (samples < declared)
        throw new StillwaveError(
          `${this.path}: truncated: the header says ${declared} samples, its pages count ${samples}; ${AGAIN}`,
        );
      return checkedHeader({ samples, sampleRateHz, channels }, this.path);
    }
    if (first.length < (this.format === "ogg-opus" ? 19 : 30))
      throw new StillwaveError(`${this.path}: Ogg whose first packet is cut; ${AGAIN}`);
    const view = new DataView(first.buffer, first.byteOffset, first.byteLength);
    const [channels, sampleRateHz] =
      this.format === "ogg-opus" ? [first[9], 48000] : [first[11], view.getUint32(12, true)];
    return checkedHeader({ samples: Math.max(0, samples - this.preSkip), sampleRateHz, channels }, this.path);
  }

  /** Samples that an Opus decoder makes before the first one that counts (RFC 7845 section 4.2). */
  get preSkip(): number {
    const [first] = this.headers;
    return this.format === "ogg-opus" && first && first.length >= 12 ? first[10] + 256 * first[11] : 0;
  }

  /**
   * Once all pages are there: the stream's header, and how many decoded samples come before the first one that counts.
   * @throws StillwaveError if the packets do not hold what the pages count
   */
  finish(): { readonly header: AudioHeader; readonly skip: number } {
    let start = this.start ?? 0;
    let skip = this.preSkip;
    if (start < 0) {
      // a stream of one page may be shortened at its end; a longer one, in Vorbis alone, at its beginning (Vorbis I, A.2)
      if (this.audioPages > 1 && this.format !== "ogg-vorbis") this.fail(CUT_AT_START);
      if (this.audioPages > 1) skip -= start;
      start = 0;
    }
    const header = this.header(start, this.end);
    const missing = header.samples - Math.max(0, this.total - skip);
    if (missing > 0)
      this.fail(`its pages count ${header.samples} samples, its packets hold ${header.samples - missing}`);
    if (-missing > this.lastPageSamples)
      this.fail(`its last page ends at sample ${this.end}, ${-missing} before the samples that came`);
    return { header, skip };
  }

  private checkOrder(page: OggPage): void {
    const { before } = this;
    if (!before) return;
    this.checkSerial(page.serial);
    if (page.isFirst) this.refuseSeveral();
    const missing = page.sequence - before.sequence - 1;
    if (missing === 0) return;
    // what joins a running broadcast, or cuts off a beginning, keeps the headers and the pages' numbers (RFC 7845 section 4.3)
    if (missing < 0 || this.packets.length > 0 || !this.hasHeaders)
      this.fail(`page ${page.sequence} follows on page ${before.sequence} of its Ogg stream`);
    this.notes.push(`its Ogg stream begins ${missing} pages late (joined, or cut at its beginning)`);
    this.open = undefined;
  }

  /** @throws StillwaveError if a page is of another stream than those before. */
  checkSerial(serial: number): void {
    if (this.before && serial !== this.before.serial) this.refuseSeveral();
  }

  private refuseSeveral(): never {
    throw new StillwaveError(
      `${this.path}: Ogg with several streams, one after or inside another, of which some programs read all and some the first; ` +
        "split it, or join it in one: ffmpeg -i in.ogg out.flac",
    );
  }

  private fail(what: string): never {
    throw new StillwaveError(`${this.path}: damaged: ${what}; ${AGAIN}`);
  }

  /** Whether all packets before the audio are there. */
  private get hasHeaders(): boolean {
    if (this.format !== "ogg-flac") return this.headers.length === (this.format === "ogg-opus" ? 2 : 3);
    const last = this.headers.at(-1);
    // the first bit of FLAC's last block of metadata is set; in the first packet the mapping and "fLaC" stand before it
    return last !== undefined && (last[this.headers.length === 1 ? FLAC_MAPPING_BYTES + 4 : 0] & 0x80) !== 0;
  }

  /** The packets that end on a page. */
  private *packetsOf({ isContinued, pieces, isOpen }: OggPage): Generator<Uint8Array> {
    const begun = this.open;
    this.open = undefined;
    // the rest of a packet whose beginning was never there
    const from = isContinued && !begun ? 1 : 0;
    if (begun && !isContinued) this.fail("a packet of its Ogg stream is cut");
    for (let i = from; i < pieces.length; i++) {
      const parts = i === 0 && begun ? [...begun, pieces[i]] : [pieces[i]];
      if (isOpen && i === pieces.length - 1) this.open = parts;
      else yield parts.length === 1 ? pieces[i] : Buffer.concat(parts);
    }
    if (begun && pieces.length === 0) this.open = begun;
  }

  /** Sorts a packet in; its samples. */
  private take(packet: Uint8Array): number {
    // some writers of FLAC end with an empty packet
    if (packet.length === 0) return 0;
    const isAudio = this.format === "ogg-flac" ? packet[0] === 0xff && this.headers.length > 0 : this.hasHeaders;
    if (!isAudio) {
      if (this.packets.length > 0) this.fail("metadata among the audio of its Ogg stream");
      this.headers.push(packet);
      return 0;
    }
    this.packets.push(packet);
    this.packetSamples ??= this.countSamples();
    return this.packetSamples(packet);
  }

  private countSamples(): PacketSamples {
    if (this.format === "ogg-opus") return opusSamples;
    if (this.format === "ogg-flac") return flacSamples(flacInfo(this.headers[0], this.path));
    return vorbisSamples(this.headers[0], this.headers[2], this.path);
  }
}

/** STREAMINFO, behind the header of the mapping. */
const flacInfo = (first: Uint8Array, path: string) => parseFlacHeader(first.subarray(FLAC_MAPPING_BYTES), path);
