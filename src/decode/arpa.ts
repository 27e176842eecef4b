// Reads n-gram models in ARPA format, plain or gzipped, as a stream: memory grows with the n-grams, not with the file.
// Ours because no reader of n-gram models on npm is kept up.
import { createReadStream } from "node:fs";
import { open, stat } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { StillwaveError } from "../errors.ts";
import { NgramBuilder, NgramModel, SENTENCE_END, SENTENCE_START } from "./ngram.ts";

export interface ReadArpaOptions {
  /** Called now and then with the n-grams read so far and the number the file announces. */
  readonly onProgress?: (done: number, total: number) => void;
}

const MAX_ORDER = 12;
const MAX_LINE_CHARACTERS = 2 ** 20;
const MAX_NGRAMS = 2 ** 29;
/** Stays finite in float32, however many are added up. */
const LARGEST_NUMBER = 1e6;
const PROGRESS_EVERY = 200_000;

/**
 * Reads an ARPA file (`.arpa`, or gzipped under any name).
 * @throws StillwaveError with file and line for anything malformed: wrong counts, words without a unigram, n-grams twice,
 *   probabilities above 1, a missing \end\, a damaged gzip stream.
 */
export async function readArpa(file: string, options: ReadArpaOptions = {}): Promise<NgramModel> {
  const info = await stat(file).catch(() => undefined);
  if (!info?.isFile()) throw new StillwaveError(`${file}: no such language model file`);
  const zipped = await isGzip(file);
  // what the header announces is believed as far as the file's size allows
  const parser = new ArpaParser(file, (info.size * (zipped ? 20 : 1)) / 8, options.onProgress);
  const ahead = (problem: string) => new StillwaveError(`${file}:${parser.lineNumber + 1}: ${problem}`);
  const parse = async (chunks: AsyncIterable<Uint8Array>) => {
    const decoder = new TextDecoder("utf-8", { fatal: true });
    let rest = "";
    for await (const chunk of chunks) {
      try {
        rest += decoder.decode(chunk, { stream: true });
      } catch {
        throw ahead("not UTF-8 text");
      }
      const lines = rest.split("\n");
      rest = lines.pop()!;
      for (const line of lines) parser.line(line);
      if (rest.length > MAX_LINE_CHARACTERS)
        throw ahead(`a line of over ${MAX_LINE_CHARACTERS} characters; is it an ARPA file?`);
    }
    if (rest !== "") parser.line(rest);
  };
  try {
    const source = createReadStream(file);
    await (zipped ? pipeline(source, createGunzip(), parse) : pipeline(source, parse));
  } catch (error) {
    if (error instanceof StillwaveError) throw error;
    throw ahead(`cannot be read on (${(error as Error).message}); is the file whole?`);
  }
  return parser.finish();
}

async function isGzip(file: string): Promise<boolean> {
  const handle = await open(file, "r");
  try {
    const { buffer, bytesRead } = await handle.read(new Uint8Array(2), 0, 2, 0);
    return bytesRead === 2 && buffer[0] === 0x1f && buffer[1] === 0x8b;
  } finally {
    await handle.close();
  }
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
