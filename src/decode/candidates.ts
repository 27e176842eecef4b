// Candidates of one frame of beam search: equal ones merged, the best kept, all in typed arrays.
import { logAdd } from "./emissions.ts";
import { grown } from "./pair-table.ts";

/** What has to be equal for two hypotheses to have the same future. */
export interface Key {
  lmState: number;
  node: number;
  symbol: number;
  /** 1 if the last frame was a blank. */
  isBlank: number;
  /** Words said so far, where sums must not cross transcripts; else 0. */
  history: number;
}

const FIELDS = 5;

export class Candidates {
  count = 0;
  scores = new Float64Array(256);
  /** Index of the hypothesis it came from. */
  parents = new Int32Array(256);
  /** Word completed in this frame, or -1. */
  words = new Int32Array(256);
  /** Best single score behind a sum: whose parent and word are kept. */
  private bestParts = new Float64Array(256);
  private keys = new Int32Array(256 * FIELDS);
  private slots = new Int32Array(1024).fill(-1);
  private best = Number.NEGATIVE_INFINITY;
  private readonly threshold: number;
  private readonly sums: boolean;

  /** @param sums whether merged candidates add up (`logAdd`) or the better one stays (`max`) */
  constructor(threshold: number, sums: boolean) {
    this.threshold = threshold;
    this.sums = sums;
  }

  clear(): void {
    this.count = 0;
    this.slots.fill(-1);
    this.best = Number.NEGATIVE_INFINITY;
  }

  read(index: number, into: Key): void {
    const at = index * FIELDS;
    into.lmState = this.keys[at];
    into.node = this.keys[at + 1];
    into.symbol = this.keys[at + 2];
    into.isBlank = this.keys[at + 3];
    into.history = this.keys[at + 4];
  }

  add(key: Key, score: number, parent: number, word: number): void {
    // impossible candidates need no place in the beam
    if (score === Number.NEGATIVE_INFINITY || score < this.best - this.threshold) return;
    if (score > this.best) this.best = score;
    const slot = this.slotOf(key);
    const index = this.slots[slot];
    if (index >= 0) this.merge(index, score, parent, word);
    else this.append(slot, key, score, parent, word);
  }

  /** Indices of the best `size` candidates within the threshold, best first. */
  select(size: number): Int32Array {
    const floor = this.best - this.threshold;
    const kept: number[] = [];
    for (let i = 0; i < this.count; i++) if (this.scores[i] >= floor) kept.push(i);
    return Int32Array.from(kept)
      .sort((a, b) => this.scores[b] - this.scores[a] || a - b)
      .subarray(0, size);
  }

  private merge(index: number, score: number, parent: number, word: number): void {
    if (score > this.bestParts[index]) {
      this.bestParts[index] = score;
      this.parents[index] = parent;
      this.words[index] = word;
    }
    this.scores[index] = this.sums ? logAdd(this.scores[index], score) : Math.max(this.scores[index], score);
    if (this.scores[index] > this.best) this.best = this.scores[index];
  }

  private append(slot: number, key: Key, score: number, parent: number, word: number): void {
    if (this.count === this.scores.length) this.grow();
    const index = this.count++;
    this.slots[this.count * 2 > this.slots.length ? this.rehash(key) : slot] = index;
    this.scores[index] = score;
    this.bestParts[index] = score;
    this.parents[index] = parent;
    this.words[index] = word;
    const at = index * FIELDS;
    this.keys[at] = key.lmState;
    this.keys[at + 1] = key.node;
    this.keys[at + 2] = key.symbol;
    this.keys[at + 3] = key.isBlank;
    this.keys[at + 4] = key.history;
  }

  private slotOf({ lmState, node, symbol, isBlank, history }: Key): number {
    const { keys, slots } = this;
    const mask = slots.length - 1;
    let hash = Math.imul(lmState, 0x9e3779b1) ^ Math.imul(node, 0x85ebca6b) ^ Math.imul(history, 0x27d4eb2f);
    hash = Math.imul(hash ^ (hash >>> 15) ^ (symbol * 2 + isBlank), 0xc2b2ae35);
    let slot = (hash ^ (hash >>> 13)) & mask;
    for (;;) {
      const at = slots[slot] * FIELDS;
      if (at < 0) return slot;
      if (
        keys[at] === lmState &&
        keys[at + 1] === node &&
        keys[at + 2] === symbol &&
        keys[at + 3] === isBlank &&
        keys[at + 4] === history
      ) {
        return slot;
      }
      slot = (slot + 1) & mask;
    }
  }

  /** Doubles the slots; returns the free one for `key`. */
  private rehash(key: Key): number {
    const read: Key = { lmState: 0, node: 0, symbol: 0, isBlank: 0, history: 0 };
    this.slots = new Int32Array(this.slots.length * 2).fill(-1);
    for (let i = 0; i < this.count - 1; i++) {
      this.read(i, read);
      this.slots[this.slotOf(read)] = i;
    }
    return this.slotOf(key);
  }

  private grow(): void {
    const size = this.scores.length * 2;
    this.scores = grown(this.scores, size);
    this.bestParts = grown(this.bestParts, size);
    this.parents = grown(this.parents, size);
    this.words = grown(this.words, size);
    this.keys = grown(this.keys, size * FIELDS);
  }
}
