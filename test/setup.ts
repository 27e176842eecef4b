// What every test file begins with: the cases that properties are tried on, how arrays of numbers are compared, what threads run.
import { syncBuiltinESMExports } from "node:module";
import workers, { type WorkerOptions } from "node:worker_threads";
import fc from "fast-check";
import { expect } from "vitest";
import { builtOf } from "./built/built.ts";

// The same cases in every run: a change fails for what it changed. FUZZ_SEED tries others.
fc.configureGlobal({ seed: Number(process.env.FUZZ_SEED ?? 2026) });

const bytes = (array: ArrayBufferView) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

// Arrays of equal bytes are equal, which is seen a thousand times as fast as element by element; others are compared as ever.
expect.addEqualityTesters([
  (a, b) =>
    ArrayBuffer.isView(a) &&
    ArrayBuffer.isView(b) &&
    a.constructor === b.constructor &&
    Buffer.compare(bytes(a), bytes(b)) === 0
      ? true
      : undefined,
]);

// Threads of the sources run what is built of them.
workers.Worker = class extends workers.Worker {
  constructor(entry: string | URL, options?: WorkerOptions) {
    const built = options?.eval ? entry : builtOf(entry);
    super(built, built === entry ? options : { ...options, execArgv: [] });
  }
};
syncBuiltinESMExports();
