// What a decoding thread is told of kept speech, and what it makes of it: kept samples where they are, decoded ones otherwise.
import { StillwaveError } from "../../errors.ts";
import { type Samples, writeShorts } from "../batch.ts";
import type { PlannedBatch, PlannedItem } from "../corpus.types.ts";
import { loadRecording } from "../made.ts";
import { readKept, writeKept } from "./file.ts";

/** How the speech of one batch is kept. `takesMore`: what is decoded now is kept too. */
export type Keeping =
  | {
      readonly kind: "memory";
      /** Whole utterances in shared memory, item by item of the batch; undefined where they are not kept yet. */
      readonly samples: readonly (Samples | undefined)[];
      readonly takesMore: boolean;
    }
  | { readonly kind: "disk"; readonly folder: string; readonly takesMore: boolean };

/** Where a batch's samples come from, and what was decoded for it that should be kept. */
export class BatchSource {
  private readonly keeping: Keeping | undefined;
  /** Whole utterances in shared memory that were decoded anew, by item. */
  readonly fresh: (Samples | undefined)[];
  private readonly writes: Promise<void>[] = [];

  constructor(plan: PlannedBatch, keeping: Keeping | undefined) {
    this.keeping = keeping;
    this.fresh = plan.items.map(() => undefined);
  }

  /**
   * The crop that the `index`-th item of the batch is.
   * @throws StillwaveError naming the file if it cannot be decoded, or is not as long as its header said
   */
  async samplesOf(item: PlannedItem, index: number): Promise<Samples> {
    const { keeping } = this;
    const known = keeping?.kind === "memory" ? keeping.samples[index] : undefined;
    const whole = known ?? (keeping?.kind === "disk" ? await readKept(keeping.folder, item) : undefined);
    const { start, samples } = item;
    return (whole ?? (await this.decode(item, index))).subarray(start, start + samples);
  }

  private async decode(item: PlannedItem, index: number): Promise<Samples> {
    const { path, fileSamples } = item;
    const { keeping } = this;
    const decoded = await loadRecording(item);
    if (decoded.length !== fileSamples)
      throw new StillwaveError(
        `${path}: its header said ${fileSamples} samples at 16 kHz, decoding gave ${decoded.length}: the header is wrong or the file changed`,
      );
    const isShared = keeping?.kind === "memory" && keeping.takesMore;
    const whole = compact(decoded, isShared);
    if (isShared) this.fresh[index] = whole;
    if (keeping?.kind === "disk" && keeping.takesMore) {
      const writing = writeKept(keeping.folder, item, whole);
      // a refusal is told when the batch is done
      writing.catch(() => {});
      this.writes.push(writing);
    }
    return whole;
  }

  /** Waits until everything is kept. Why something is not, if so. */
  async settled(): Promise<string | undefined> {
    for (const settled of await Promise.allSettled(this.writes)) {
      if (settled.status === "fulfilled") continue;
      if (!(settled.reason instanceof StillwaveError)) throw settled.reason;
      return settled.reason.message;
    }
    return undefined;
  }
}

/** 16-bit samples in half the memory, where they are that. */
function compact(decoded: Float32Array, isShared: boolean): Samples {
  const memory = (bytes: number) => (isShared ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes));
  const shorts = new Int16Array(memory(decoded.length * Int16Array.BYTES_PER_ELEMENT));
  if (writeShorts(decoded, shorts)) return shorts;
  if (!isShared) return decoded;
  const floats = new Float32Array(memory(decoded.length * Float32Array.BYTES_PER_ELEMENT));
  floats.set(decoded);
  return floats;
}
