// A growing hash table from pairs of integers to consecutive ids, in typed arrays: tens of bytes a pair, no objects.
import { StillwaveError } from "../errors.ts";

const EMPTY = -1;
const MAX_PAIRS = 2 ** 30;

/** Copies `array` into one of `length` elements. */
export function grown<T extends Int32Array | Float32Array | Float64Array | Uint8Array>(array: T, length: number): T {
  const next = new (array.constructor as new (length: number) => T)(length);
  next.set(array as never);
  return next;
}

/** Ids are handed out from 0 in order of insertion. */
export class PairTable {
  size = 0;
  private firsts: Int32Array;
  private seconds: Int32Array;
  private slots: Int32Array;

  /** @param expected pairs to make room for at once */
  constructor(expected = 16) {
    const capacity = Math.min(Math.max(expected, 16), MAX_PAIRS);
    this.firsts = new Int32Array(capacity);
    this.seconds = new Int32Array(capacity);
    this.slots = new Int32Array(2 ** Math.ceil(Math.log2(capacity * 1.6))).fill(EMPTY);
  }

  /** Room for ids before arrays have to grow; arrays of the caller that go along may follow it. */
  get capacity(): number {
    return this.firsts.length;
  }

  first(id: number): number {
    return this.firsts[id];
  }

  second(id: number): number {
    return this.seconds[id];
  }

  /** Id of a pair, or -1. */
  find(first: number, second: number): number {
    return this.slots[this.slotOf(first, second)];
  }

  /** Id of a pair, which is added if it is new: compare `size` before and after to know. */
  add(first: number, second: number): number {
    let slot = this.slotOf(first, second);
    if (this.slots[slot] !== EMPTY) return this.slots[slot];
    if (this.size >= MAX_PAIRS) throw new StillwaveError(`more than ${MAX_PAIRS} entries do not fit in one table`);
    if (this.size === this.firsts.length) {
      this.firsts = grown(this.firsts, this.size * 2);
      this.seconds = grown(this.seconds, this.size * 2);
    }
    if (this.size * 1.5 > this.slots.length) {
      this.rehash();
      slot = this.slotOf(first, second);
    }
    this.firsts[this.size] = first;
    this.seconds[this.size] = second;
    this.slots[slot] = this.size;
    return this.size++;
  }

  clear(): void {
    this.slots.fill(EMPTY);
    this.size = 0;
  }

  private slotOf(first: number, second: number): number {
    const mask = this.slots.length - 1;
    let hash = Math.imul(first, 0x9e3779b1) ^ Math.imul(second + 0x7f4a7c15, 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 15), 0xc2b2ae35);
    let slot = (hash ^ (hash >>> 13)) & mask;
    for (;;) {
      const id = this.slots[slot];
      if (id === EMPTY || (this.firsts[id] === first && this.seconds[id] === second)) return slot;
      slot = (slot + 1) & mask;
    }
  }

  private rehash(): void {
    this.slots = new Int32Array(this.slots.length * 2).fill(EMPTY);
    for (let id = 0; id < this.size; id++) this.slots[this.slotOf(this.firsts[id], this.seconds[id])] = id;
  }
}
