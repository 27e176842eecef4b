// Speech that stays decoded after it was read once: in memory, or in files of a folder.
import { existsSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { StillwaveError } from "../../errors.ts";
import { makeFolder } from "../../files.ts";
import { freeMemory, gib, holdMemory } from "../../memory.ts";
import type { Samples } from "../batch.ts";
import type { DecodedBatch, PlannedBatch } from "../corpus.types.ts";
import { type RecordingPart, recordingKey } from "../recording.ts";
import { keptPath } from "./file.ts";
import type { Keeping } from "./keeping.ts";

/** `auto`: in memory where all of it fits a part of what is free, nowhere otherwise. */
export type KeepMode = "auto" | "memory" | "disk" | "none";

export interface KeepOptions {
  readonly mode: KeepMode;
  /** Everything that will be read. */
  readonly speech: readonly (RecordingPart & { readonly samples: number })[];
  /** Where files go under `disk`. */
  readonly folder: string;
  readonly onNote: (text: string) => void;
  /** Default: what the machine has free now. */
  readonly freeBytes?: number;
}

/** Shares of free memory that kept speech may take: models, gradients and the engine need the rest. */
const MEMORY_SHARES: Readonly<Record<"auto" | "memory", number>> = { auto: 0.25, memory: 0.75 };

/**
 * Bounds what is kept before the first file is decoded. Whether samples have 16 bits shows only then: until it does, all are
 * taken to have; where they do not, as many are kept as fit.
 * @throws StillwaveError where `memory` or `disk` cannot hold the speech
 */
export async function openKept(options: KeepOptions): Promise<KeptSpeech | undefined> {
  const { mode, speech, onNote } = options;
  const bytes = samplesIn(speech) * Int16Array.BYTES_PER_ELEMENT;
  if (mode === "none") return undefined;
  if (mode === "disk") return openDisk(options, bytes);
  const free = options.freeBytes ?? freeMemory();
  const budget = MEMORY_SHARES[mode] * free;
  if (bytes <= budget) return new KeptSpeech({ kind: "memory", budget, utterances: speech.length }, onNote);
  if (mode === "memory")
    throw new StillwaveError(
      `data.keepDecoded: decoded, the speech takes at least ${size(bytes)} and ${size(budget)} of ${size(free)} free memory may be used; set it to disk, auto or none`,
    );
  onNote(
    `speech is decoded anew in every epoch: kept, it would take at least ${size(bytes)}, more than a quarter of the ${size(free)} of free memory; data.keepDecoded: disk keeps it in files`,
  );
  return undefined;
}

/** What is there already needs no room; its size is told before anything is written. */
async function openDisk({ speech, folder, onNote, freeBytes }: KeepOptions, bytes: number): Promise<KeptSpeech> {
  await makeFolder(folder);
  const missing = speech.filter((one) => !existsSync(keptPath(folder, one)));
  const needed = samplesIn(missing) * Int16Array.BYTES_PER_ELEMENT;
  const { bavail, bsize } = await statfs(folder);
  const free = freeBytes ?? bavail * bsize;
  if (needed > free)
    throw new StillwaveError(
      `${folder}: decoded speech needs ${size(needed)} and ${size(free)} are free; make room, set STILLWAVE_CACHE to a folder on another disk, or data.keepDecoded to none`,
    );
  const there =
    missing.length < speech.length
      ? `, ${speech.length - missing.length} of ${speech.length} utterances are there`
      : "";
  onNote(
    `decoded speech is kept in ${folder}: ${size(bytes)} where its samples have 16 bits, ${size(2 * bytes)} otherwise${there}; it may be removed after the run`,
  );
  return new KeptSpeech({ kind: "disk", folder }, onNote);
}

const samplesIn = (speech: KeepOptions["speech"]): number => speech.reduce((sum, one) => sum + one.samples, 0);

/** `120 MiB`, `3.7 GiB`. */
const size = (bytes: number): string => (bytes < 2 ** 30 ? `${Math.ceil(bytes / 2 ** 20)} MiB` : gib(bytes));

type Place =
  | { readonly kind: "memory"; readonly budget: number; readonly utterances: number }
  | { readonly kind: "disk"; readonly folder: string };

/** Fills while speech is read for the first time. What is read again is the same bit for bit. */
export class KeptSpeech {
  private readonly place: Place;
  private readonly onNote: (text: string) => void;
  private readonly memory = new Map<string, Samples>();
  private bytes = 0;
  private takesMore = true;

  constructor(place: Place, onNote: (text: string) => void) {
    this.place = place;
    this.onNote = onNote;
  }

  /** Memory that is held. */
  get heldBytes(): number {
    return this.bytes;
  }

  /** What the thread that makes a batch is told. */
  keeping({ items }: PlannedBatch): Keeping {
    const { place, takesMore, memory } = this;
    if (place.kind === "disk") return { kind: "disk", folder: place.folder, takesMore };
    return { kind: "memory", samples: items.map((item) => memory.get(recordingKey(item))), takesMore };
  }

  /** Keeps what a thread decoded anew. */
  take({ items }: PlannedBatch, { fresh, unkept }: DecodedBatch): void {
    if (unkept !== undefined) this.stop(`decoded speech is not kept any more: ${unkept}`);
    for (const [i, samples] of fresh.entries()) {
      if (!samples || this.place.kind === "disk") continue;
      const key = recordingKey(items[i]);
      if (this.memory.has(key)) continue;
      if (this.bytes + samples.byteLength > this.place.budget) {
        const { utterances } = this.place;
        this.stop(
          `${this.memory.size} of ${utterances} utterances are kept decoded: with more than 16 bits a sample not all of them fit; the others are decoded again in every epoch`,
        );
        return;
      }
      this.memory.set(key, samples);
      this.bytes += samples.byteLength;
      holdMemory(samples.byteLength);
    }
  }

  /** Told once. */
  private stop(why: string): void {
    if (this.takesMore) this.onNote(why);
    this.takesMore = false;
  }

  /** Forgets what is in memory; files stay. */
  close(): void {
    this.memory.clear();
    holdMemory(-this.bytes);
    this.bytes = 0;
    this.takesMore = false;
  }
}
