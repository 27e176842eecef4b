// Small pruned checkpoints written by torch.save, and what an independent float64 forward pass makes of them.
import { execFileSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll } from "vitest";
import { pythonWithTorch } from "../python.ts";

/** True frames of one item. */
export interface Expected {
  readonly frames: number;
  readonly conv: number[][];
  /** What layer 0 reads, then the output of every layer. */
  readonly states: number[][][];
  readonly last: number[][];
}

export interface PrunedCase {
  readonly short: number[];
  readonly long: number[];
  /** `short` by itself. */
  readonly alone: Expected[];
  /** `short` and `long` in one batch. */
  readonly padded: Expected[];
}

/** Writes `<name>.pth` and `<name>.json` for a test file; `python` is undefined where that is not possible. */
export function prunedCheckpoints() {
  const python = pythonWithTorch();
  const folder = mkdtempSync(join(tmpdir(), "stillwave-dphubert-"));
  const script = fileURLToPath(new URL("make_dphubert.py", import.meta.url));
  beforeAll(() => {
    if (python) execFileSync(python, [script, folder], { stdio: "inherit" });
  }, 60_000);
  afterAll(() => rm(folder, { recursive: true, force: true }));
  const cases = async (name: string): Promise<PrunedCase> =>
    JSON.parse(await readFile(join(folder, `${name}.json`), "utf8"));
  return { python, folder, cases };
}

/** Largest difference over the true frames of one item of [batch, time, width], as a share of the largest expected value. */
export function difference(
  { shape, data }: { readonly shape: readonly number[]; readonly data: ArrayLike<number | bigint> },
  item: number,
  expected: number[][],
): number {
  const [, time, width] = shape as [number, number, number];
  let [worst, largest] = [0, 0];
  expected.forEach((row, t) => {
    if (row.length !== width) throw new Error(`width ${width}, expected ${row.length}`);
    row.forEach((value, c) => {
      const apart = Math.abs(Number(data[(item * time + t) * width + c]) - value);
      if (!(apart <= worst)) worst = apart;
      largest = Math.max(largest, Math.abs(value));
    });
  });
  return worst / largest;
}
