// Reads n-gram models in ARPA format, plain or gzipped, as a stream: memory grows with the n-grams, not with the file.
// Ours because no reader of n-gram models on npm is kept up.
import { createReadStream } from "node:fs";
import { open, stat } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { soundLines } from "../data/lines.ts";
import { StillwaveError } from "../errors.ts";
import { NgramBuilder, NgramModel, SENTENCE_END, SENTENCE_START } from "./ngram.ts";

export interface ReadArpaOptions {
  /** Called now and then with the n-grams read so far and the number the file announces. */
  readonly onProgress?: (done: number, total: number) => void;
}

const MAX_ORDER = 12;
const MAX_LINE_BYTES = 2 ** 20;
const MAX_NGRAMS = 2 ** 29;
/** Stays finite in float32, however many are added up. */
const LARGEST_NUMBER = 1e6;
const PROGRESS_EVERY = 200_000;
const NEWLINE = 0x0a;
/** Enough to know a format by. */
const HEAD_BYTES = 64;

const giveArpa = (what: string) => `${what}, give the ARPA file that it was made of`;
const unpack = (what: string, command: string) => `packed with ${what}; unpack it (${command}) or pack it with gzip`;

/** How files begin, in Latin-1, that are given for ARPA files and are none. */
const FOREIGN: readonly [magic: string, what: string][] = [
  ["mmap lm http://kheafield.com/code", giveArpa("a KenLM binary")],
  ["blmt", giveArpa("an IRSTLM binary")],
  ["Qblmt", giveArpa("an IRSTLM binary")],
  ["SRILM_BINARY", giveArpa("an SRILM binary")],
  ["\xd6\xfd\xb2\x7e", giveArpa("an OpenFst file")],
  ["BZh", unpack("bzip2", "bunzip2")],
  ["\xfd7zXZ\x00", unpack("xz", "unxz")],
  ["\x5d\x00\x00", unpack("lzma", "unlzma")],
  ["PK\x03\x04", unpack("zip", "unzip")],
  ["\x04\x22\x4d\x18", unpack("lz4", "unlz4")],
  ["\x28\xb5\x2f\xfd", unpack("zstd", "unzstd")],
  ["7z\xbc\xaf\x27\x1c", unpack("7-Zip", "7z x")],
  ["\x1f\x9d", unpack("compress", "uncompress")],
  ["\x1f\x8b", unpack("gzip twice", "gunzip")],
  ["\xff\xfe", "UTF-16 text; convert it to UTF-8 with iconv"],
  ["\xfe\xff", "UTF-16 text; convert it to UTF-8 with iconv"],
];

/**
 * Reads an ARPA file (`.arpa`, or gzipped under any name).
 * @throws StillwaveError with file and line for anything malformed: wrong counts, words without a unigram, n-grams twice,
 *   probabilities above 1, a missing \end\, a damaged gzip stream.
 */
export async function readArpa(file: string, options: ReadArpaOptions = {}): Promise<NgramModel> {
  const info = await stat(file).catch(() => undefined);
  if (info?.isDirectory()) throw new StillwaveError(`${file}: a folder; name the ARPA file in it`);
  if (!info?.isFile()) throw new StillwaveError(`${file}: no such language model file`);
  if (info.size === 0) throw new StillwaveError(`${file}: the language model file is empty`);
  const head = await firstBytes(file);
  const zipped = head[0] === 0x1f && head[1] === 0x8b;
  // what the header announces is believed as far as the file's size allows
  const parser = new ArpaParser(file, (info.size * (zipped ? 20 : 1)) / 8, options.onProgress);
  const ahead = (problem: string) => new StillwaveError(`${file}:${parser.lineNumber + 1}: ${problem}`);
  let failure: unknown;
  const parse = (chunks: AsyncIterable<Uint8Array>) =>
    parseChunks(file, chunks, parser, ahead).catch((error: unknown) => {
      failure = error;
      throw error;
    });
  try {
    const source = createReadStream(file);
    await (zipped ? pipeline(source, createGunzip(), parse) : pipeline(source, parse));
  } catch (error) {
    // the pipeline may report that it was aborted, and not why
    const cause = failure ?? error;
    if (cause instanceof StillwaveError) throw cause;
    throw ahead(`cannot be read on (${(cause as Error).message}); is the file whole?`);
  }
  return parser.finish();
}

async function parseChunks(
  file: string,
  chunks: AsyncIterable<Uint8Array>,
  parser: ArpaParser,
  ahead: (problem: string) => StillwaveError,
): Promise<void> {
  let rest: Uint8Array = new Uint8Array(0);
  let isFirst = true;
  for await (const chunk of chunks) {
    rest = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
    if (isFirst && rest.length < HEAD_BYTES) continue;
    if (isFirst) refuseForeign(file, rest);
    isFirst = false;
    const end = rest.lastIndexOf(NEWLINE) + 1;
    parseLines(rest.subarray(0, end), parser, ahead);
    rest = rest.subarray(end);
    if (rest.length > MAX_LINE_BYTES) throw ahead(`a line of over ${MAX_LINE_BYTES} bytes; is it an ARPA file?`);
  }
  if (isFirst) refuseForeign(file, rest);
  parseLines(rest, parser, ahead);
}

/** Parses whole lines; those before one that is no UTF-8 are parsed first, so that the message has its number. */
function parseLines(bytes: Uint8Array, parser: ArpaParser, ahead: (problem: string) => StillwaveError): void {
  if (bytes.length === 0) return;
  const sound = soundLines(bytes);
  const text = new TextDecoder().decode(bytes.subarray(0, sound));
  if (text !== "") for (const line of text.replace(/\n$/, "").split("\n")) parser.line(line);
  if (sound < bytes.length) throw ahead("not UTF-8 text; convert it with iconv");
}

async function firstBytes(file: string): Promise<Uint8Array> {
  const handle = await open(file, "r");
  try {
    const { buffer, bytesRead } = await handle.read(new Uint8Array(HEAD_BYTES), 0, HEAD_BYTES, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

/** @throws StillwaveError naming what a file is that begins as other formats do. */
function refuseForeign(file: string, head: Uint8Array): void {
  const text = Buffer.from(head.subarray(0, HEAD_BYTES)).toString("latin1");
  const found = FOREIGN.find(([magic]) => text.startsWith(magic));
  if (found) throw new StillwaveError(`${file}: ${found[1]}`);
}

class ArpaParser {
  lineNumber = 0;
  private readonly file: string;
  private readonly plausible: number;
  private readonly onProgress?: (done: number, total: number) => void;
  /** "before" \data\, in the "counts", in "n-grams", or at the "end". */
  private section: "before" | "counts" | "n-grams" | "end" = "before";
  private readonly counts: number[] = [];
  private order = 0;
  private seen = 0;
  private done = 0;
  private builder: NgramBuilder | undefined;
  private readonly ids: number[] = [];

  constructor(file: string, plausible: number, onProgress?: (done: number, total: number) => void) {
    this.file = file;
    this.plausible = plausible;
    this.onProgress = onProgress;
  }

  line(raw: string): void {
    this.lineNumber++;
    const text = raw.replace(/^[ \t]+|[ \t\r]+$/g, "");
    if (text === "" || this.section === "end") return;
    if (this.section === "before") {
      if (text === "\\data\\") this.section = "counts";
    } else if (text.startsWith("\\") && this.atSectionHead(text)) return;
    else if (this.section === "counts") this.count(text);
    else this.ngram(text);
  }

  finish(): NgramModel {
    if (this.section === "before") throw this.failure("no \\data\\ line; this is no ARPA language model");
    if (this.section !== "end") throw this.failure("the file ends before \\end\\; it was cut off");
    const { builder } = this;
    for (const word of [SENTENCE_START, SENTENCE_END]) {
      if (!builder!.words.has(word)) {
        throw new StillwaveError(`${this.file}: no unigram ${word}; a model of sentences has <s> and </s>`);
      }
    }
    this.onProgress?.(this.done, this.total());
    return new NgramModel(builder!);
  }

  private count(text: string): void {
    const match = /^ngram\s+(\d+)\s*=\s*(\d+)$/.exec(text);
    if (!match) throw this.failure(`expected "ngram N=COUNT", got "${text.slice(0, 60)}"`);
    const [order, count] = [Number(match[1]), Number(match[2])];
    if (order !== this.counts.length + 1)
      throw this.failure(`counts of ${order}-grams where ${this.counts.length + 1}-grams were due`);
    if (order > MAX_ORDER) throw this.failure(`${order}-grams; models up to order ${MAX_ORDER} are read`);
    this.counts.push(count);
    if (this.total() > MAX_NGRAMS) throw this.failure(`${this.total()} n-grams are announced; up to ${MAX_NGRAMS} fit`);
  }

  /** Handles `\N-grams:` and `\end\`; false for a word that begins with a backslash. */
  private atSectionHead(text: string): boolean {
    const match = /^\\(\d+)-grams:$/.exec(text);
    if (!match && text !== "\\end\\") return false;
    this.closeSection();
    const due = this.order + 1;
    if (!match) {
      if (this.order !== this.counts.length) throw this.failure(`\\end\\ where \\${due}-grams: was due`);
      this.section = "end";
      return true;
    }
    if (this.counts.length === 0) throw this.failure("no counts after \\data\\");
    if (Number(match[1]) !== due || due > this.counts.length) {
      throw this.failure(`${text} where ${due > this.counts.length ? "\\end\\" : `\\${due}-grams:`} was due`);
    }
    this.builder ??= new NgramBuilder(this.counts.length, Math.ceil(Math.min(this.total(), this.plausible)));
    this.section = "n-grams";
    this.order = due;
    this.seen = 0;
    return true;
  }

  private closeSection(): void {
    if (this.order > 0 && this.seen !== this.counts[this.order - 1]) {
      throw this.failure(`${this.seen} ${this.order}-grams, but the header announced ${this.counts[this.order - 1]}`);
    }
  }

  private ngram(text: string): void {
    const { order } = this;
    const builder = this.builder!;
    const cells = text.split(/[ \t]+/);
    if (cells.length !== order + 1 && cells.length !== order + 2) {
      throw this.failure(
        `expected a probability, ${order} words and perhaps a back-off weight, got ${cells.length} fields`,
      );
    }
    const probability = this.number(cells[0], "log probability");
    if (probability > 0) throw this.failure(`log probability ${cells[0]} is above 0`);
    const backoff = cells.length === order + 2 ? this.number(cells[order + 1], "back-off weight") : 0;
    if (++this.seen > this.counts[order - 1]) {
      throw this.failure(`more ${order}-grams than the ${this.counts[order - 1]} that the header announced`);
    }
    const { ids } = this;
    ids.length = order;
    for (let i = 0; i < order; i++) ids[i] = this.wordId(cells[i + 1], builder);
    if (!builder.add(ids, probability, backoff))
      throw this.failure(`"${cells.slice(1, order + 1).join(" ")}" is there twice`);
    if (++this.done % PROGRESS_EVERY === 0) this.onProgress?.(this.done, this.total());
  }

  private wordId(word: string, { words }: NgramBuilder): number {
    const id = words.get(word);
    if (id !== undefined) return id;
    if (this.order > 1) throw this.failure(`"${word}" is not among the 1-grams`);
    words.set(word, words.size);
    return words.size - 1;
  }

  private number(text: string, what: string): number {
    // "-inf" occurs for words that never come, such as <s>
    const value = text === "-inf" || text === "-Inf" ? -99 : Number(text);
    if (text === "" || !(Math.abs(value) < LARGEST_NUMBER)) throw this.failure(`"${text.slice(0, 40)}" is no ${what}`);
    return value;
  }

  private total(): number {
    return this.counts.reduce((sum, count) => sum + count, 0);
  }

  private failure(problem: string): StillwaveError {
    return new StillwaveError(`${this.file}:${this.lineNumber}: ${problem}`);
  }
}
