// Memory: the container's limit counts where there is one, the machine's memory otherwise, and messages say which.
import { totalmem } from "node:os";
import { afterEach, expect, test, vi } from "vitest";
import { describeLimit, gib, memoryLimit } from "../src/memory.ts";
import { noReuse } from "../src/models/config.ts";
import { environment } from "../src/training/environment.ts";
import { memoryProblem } from "../src/upstream/batches.ts";

const GIB = 2 ** 30;
afterEach(() => vi.restoreAllMocks());
const limited = (bytes: number) => vi.spyOn(process, "constrainedMemory").mockReturnValue(bytes);

const base = {
  conv: [
    { channels: 512, kernel: 10, stride: 5 },
    ...[3, 3, 3, 3, 2, 2].map((kernel) => ({ channels: 512, kernel, stride: 2 })),
  ],
  heads: 12,
  attentionFrom: noReuse(12),
} as never;

test("a container limited to 2 GiB has 2 GiB, whatever the machine has", () => {
  limited(2 * GIB);
  expect(memoryLimit()).toEqual({ bytes: 2 * GIB, of: "container" });
  expect(environment().memoryBytes).toBe(2 * GIB);
  // 20 minutes, 12 heads: 59,999^2 frames, two maps of 12 x 4 bytes each, 321.9 GiB
  expect(memoryProblem(base, 1200 * 16000)).toBe(
    "1200 s: its attention maps need 322 GiB, this container may use 2.0 GiB (half of it is for maps); cut it first",
  );
  expect(memoryProblem(base, 60 * 16000)).toBeUndefined();
  expect(memoryProblem(base, 70 * 16000)).toMatch(/70 s.*need 1\.1 GiB, this container may use 2\.0 GiB/);
});

test.each([0, 2 ** 63, Number.MAX_SAFE_INTEGER])(
  "%d bytes are no limit: nothing is known, or cgroup v1 has none",
  (bytes) => {
    limited(bytes);
    expect(memoryLimit()).toEqual({ bytes: totalmem(), of: "machine" });
    expect(describeLimit(memoryLimit())).toBe(`this machine has ${gib(totalmem())}`);
  },
);
