// Speech that stays decoded after it was read once: in memory, or in files of a folder.
import { existsSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { resolve } from "node:path";
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
  const { mode, speech, folder, onNote } = options;
  const samples = speech.reduce((sum, one) => sum + one.samples, 0);
  const bytes = samples * Int16Array.BYTES_PER_ELEMENT;
  if (mode === "none") return undefined;
  if (mode === "disk") {
    await makeFolder(folder);
    const { bavail, bsize } = await statfs(folder);
    const missing = speech.filter((one) => !existsSync(keptPath(folder, one)));
    const needed = missing.reduce((sum, one) => sum + one.samples, 0) * Int16Array.BYTES_PER_ELEMENT;
    const free = options.freeBytes ?? bavail * bsize;
    if (needed > free)
      throw new StillwaveError(
        `${folder}: decoded speech needs ${gib(needed)} and ${gib(free)} are free; make room, set STILLWAVE_CACHE to another disk, or data.keepDecoded to none`,
      );
    const range = `${gib(bytes)} where its samples have 16 bits, ${gib(2 * bytes)} otherwise`;
    onNote(
      `decoded speech is kept in ${resolve(folder)}: ${range}; ${gib(bytes - needed)} are there; it may be removed after the run`,
    );
    return new KeptSpeech({ kind: "disk", folder: resolve(folder) }, onNote);
  }
  const free = options.freeBytes ?? freeMemory();
  const budget = MEMORY_SHARES[mode] * free;
  if (bytes <= budget) return new KeptSpeech({ kind: "memory", budget }, onNote);
  if (mode === "memory")
    throw new StillwaveError(
      `data.keepDecoded: decoded, the speech takes at least ${gib(bytes)} and ${gib(budget)} of ${gib(free)} free memory may be used; set it to disk, auto or none`,
    );
  return undefined;
}

type Place = { readonly kind: "memory"; readonly budget: number } | { readonly kind: "disk"; readonly folder: string };

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
        const kept = `${gib(this.bytes)} of decoded speech, ${this.memory.size} utterances,`;
        this.stop(
          `${kept} are kept in memory: not all of it fits, for its samples have more than 16 bits; the rest is decoded again in every epoch`,
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
