// manifest.jsonl of an output folder: one line per finished utterance; what a later run need not do again.
import { type FileHandle, lstat, open, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import type { Segment } from "../audio/index.ts";
import { StillwaveError } from "../errors.ts";
import { diskError, writeFileAtomic } from "../files.ts";
import { type Intent, type Settings, settingsFor } from "./settings.ts";
import type { Source } from "./sources.ts";

/** One line. `frames` and `dim` are those of every state in `file`. */
export interface ExtractRecord extends Settings {
  readonly id: string;
  /** The audio. */
  readonly path: string;
  /** The part of it, where it is not the whole. */
  readonly segment?: Segment;
  /** Relative to the manifest. */
  readonly file: string;
  readonly samples: number;
  readonly frames: number;
  readonly dim: number;
  /** Size of `file`. */
  readonly bytes: number;
  /** Size and modification time of the audio when it was read. */
  readonly source: { readonly bytes: number; readonly mtimeMs: number };
}

const MANIFEST_NAME = "manifest.jsonl";

/** What is finished in an output folder, and where the next lines go. */
export class ExtractManifest {
  private readonly folder: string;
  private readonly records: Map<string, ExtractRecord>;
  /** Files that a run was about to write, for which no line was added: ours, whether they are there or not. */
  private readonly claims: Set<string>;
  private file: FileHandle | undefined;

  private constructor(folder: string, records: Map<string, ExtractRecord>, claims: Set<string>) {
    this.folder = folder;
    this.records = records;
    this.claims = claims;
  }

  /** Reads the manifest, if there is one. A line that a crash has cut off is dropped. */
  static async open(folder: string): Promise<ExtractManifest> {
    const records = new Map<string, ExtractRecord>();
    const text = await readFile(join(folder, MANIFEST_NAME), "utf8").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return "";
      throw new StillwaveError(`${join(folder, MANIFEST_NAME)}: cannot be read (${error.code})`);
    });
    const lines = text.split("\n");
    const claims = new Set<string>();
    for (const line of lines) {
      const value = parse(line);
      if (value && "writing" in value) claims.add(value.writing);
      else if (value) records.set(value.id, value);
    }
    for (const { file } of records.values()) claims.delete(file);
    if (records.size + claims.size === 0 && lines.length > 1)
      throw new StillwaveError(
        `${join(folder, MANIFEST_NAME)}: not written by extract, which would replace it; give another output folder`,
      );
    return new ExtractManifest(folder, records, claims);
  }

  /** What was made with other options than `intent` has for a recording of its length. */
  madeOtherwise(intent: Intent): ExtractRecord[] {
    return [...this.records.values()].filter(
      ({ options, samples }) => options !== settingsFor(intent, samples).options,
    );
  }

  /** Files that earlier runs wrote, or were about to. */
  files(): Set<string> {
    return new Set([...this.claims, ...[...this.records.values()].map(({ file }) => file)]);
  }

  /** Removes what `madeOtherwise` names, files first: cut off in between, the lines still tell whose the others are. */
  async removeOthers(intent: Intent): Promise<void> {
    const others = this.madeOtherwise(intent);
    if (others.length === 0) return;
    for (const { id, file } of others) {
      const path = join(this.folder, file);
      if ((await lstat(path).catch(() => undefined))?.isFile()) await rm(path);
      this.records.delete(id);
    }
    await this.rewrite();
  }

  /** Whether the utterance's file is there as an equal run would write it. */
  async isFinished(source: Source, options: string): Promise<boolean> {
    const record = this.records.get(source.id);
    if (!record || record.options !== options || record.samples !== source.samples) return false;
    if (!isDeepStrictEqual(record.segment, source.segment)) return false;
    if (record.source.bytes !== source.bytes || record.source.mtimeMs !== source.mtimeMs) return false;
    const info = await stat(join(this.folder, record.file)).catch(() => undefined);
    return info?.isFile() === true && info.size === record.bytes;
  }

  /** Notes that `files` are about to be written: after a crash the next run knows them for its own. */
  async claim(files: readonly string[]): Promise<void> {
    if (files.length === 0) return;
    for (const file of files) this.claims.add(file);
    await this.append(files.map((writing) => ({ writing })));
  }

  /** Adds a line; the file it names must be durable already. */
  async add(record: ExtractRecord): Promise<void> {
    this.records.set(record.id, record);
    this.claims.delete(record.file);
    await this.append([record]);
  }

  private async append(lines: readonly (ExtractRecord | Claim)[]): Promise<void> {
    const path = join(this.folder, MANIFEST_NAME);
    if (!this.file) await this.rewrite();
    try {
      this.file ??= await open(path, "a");
      await this.file.appendFile(lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
    } catch (error) {
      throw diskError(error, path);
    }
  }

  /** Writes the whole manifest, sorted by id, one line an utterance. Claims on files that did not come to be are given up. */
  async close(): Promise<void> {
    if (this.file === undefined) return;
    await this.file.close();
    this.file = undefined;
    for (const file of this.claims)
      if (!(await lstat(join(this.folder, file)).catch(() => undefined))) this.claims.delete(file);
    await this.rewrite();
  }

  private async rewrite(): Promise<void> {
    const sorted = [...this.records.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
    const lines = [...sorted, ...[...this.claims].sort().map((writing): Claim => ({ writing }))];
    await writeFileAtomic(join(this.folder, MANIFEST_NAME), lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  }
}

/** A line that stands before that of a finished utterance while its file is written. */
interface Claim {
  readonly writing: string;
}

function parse(line: string): ExtractRecord | Claim | undefined {
  try {
    const value = JSON.parse(line) as ExtractRecord | Claim;
    if ("writing" in value) return typeof value.writing === "string" ? value : undefined;
    const texts = [value.id, value.file, value.options].every((text) => typeof text === "string");
    const whole = texts && typeof value.source === "object";
    return whole && value.source !== null && !value.file.split(/[\\/]/).includes("..") ? value : undefined;
  } catch {
    return undefined;
  }
}
