// Remembers the lengths of files between runs, so that opening a large corpus again reads no headers.
import { readFile } from "node:fs/promises";
import { z } from "zod";
import { type AudioProbe, asProbe } from "../audio/index.ts";
import { writeFileAtomic } from "../files.ts";

const VERSION = 2;

/** path -> [bytes, modified (ms), samples, rate, channels], the samples at the file's own rate */
const schema = z.object({
  version: z.literal(VERSION),
  files: z.record(z.string(), z.tuple([z.number(), z.number(), z.int().min(0), z.int().min(1), z.int().min(1)])),
});
type Row = z.infer<typeof schema>["files"][string];

/** Lengths by path; an entry counts only while the file's size and modification time are the same. */
export class IndexCache {
  readonly warnings: string[] = [];
  private readonly file: string | undefined;
  private readonly rows: Map<string, Row>;
  private changed = false;

  private constructor(file: string | undefined, rows: Map<string, Row>) {
    this.file = file;
    this.rows = rows;
  }

  /** Opens the cache at `file`; a missing one is empty, a damaged one too, with a warning. Without `file` nothing is kept. */
  static async open(file: string | undefined): Promise<IndexCache> {
    const text = file && (await readFile(file, "utf8").catch(() => undefined));
    if (!text) return new IndexCache(file, new Map());
    try {
      return new IndexCache(file, new Map(Object.entries(schema.parse(JSON.parse(text)).files)));
    } catch {
      const cache = new IndexCache(file, new Map());
      cache.warnings.push(`${file}: not an index of this version, or damaged; lengths are read from the files again`);
      return cache;
    }
  }

  get(path: string, bytes: number, mtimeMs: number): AudioProbe | undefined {
    const row = this.rows.get(path);
    if (!row || row[0] !== bytes || row[1] !== mtimeMs) return undefined;
    return asProbe({ samples: row[2], sampleRateHz: row[3], channels: row[4] });
  }

  /** A file with a note is not remembered: it is read again, and the note told again. */
  set(path: string, bytes: number, mtimeMs: number, probe: AudioProbe): void {
    if (probe.note !== undefined) return;
    this.rows.set(path, [bytes, mtimeMs, probe.samples, probe.sampleRateHz, probe.channels]);
    this.changed = true;
  }

  async save(): Promise<void> {
    if (!this.file || !this.changed) return;
    await writeFileAtomic(this.file, JSON.stringify({ version: VERSION, files: Object.fromEntries(this.rows) }));
  }
}
