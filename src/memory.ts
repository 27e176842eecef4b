// How much memory this process may use: the machine's, or less where its container is limited.
import { freemem, totalmem } from "node:os";

export interface MemoryLimit {
  readonly bytes: number;
  readonly of: "machine" | "container";
}

/** The smaller of both. No container is limited to 0 bytes (nothing is known) or to more than there are (cgroup v1 without a limit). */
export function memoryLimit(): MemoryLimit {
  const machine = totalmem();
  const container = process.constrainedMemory();
  return container > 0 && container < machine
    ? { bytes: container, of: "container" }
    : { bytes: machine, of: "machine" };
}

/** `this machine has 24 GiB`, `this container may use 2 GiB`. */
export const describeLimit = ({ bytes, of }: MemoryLimit): string =>
  of === "machine" ? `this machine has ${gib(bytes)}` : `this container may use ${gib(bytes)}`;

/** `11.7 GiB`, `24 GiB`. */
export function gib(bytes: number): string {
  const value = bytes / 2 ** 30;
  return `${value.toFixed(value < 10 ? 1 : 0)} GiB`;
}

/** What this process may take now without driving others, or itself, out of memory. */
export const freeMemory = (): number => Math.min(freemem(), process.availableMemory());

let heldBytes = 0;

/** Counts memory that is held on purpose and for long (negative: given back), so that it is not taken for growth. */
export function holdMemory(bytes: number): void {
  heldBytes += bytes;
}

/** Memory of this process that is not held on purpose. */
export const looseMemory = (): number => process.memoryUsage.rss() - heldBytes;
