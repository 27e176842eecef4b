// A run in fp16 whose updates overflow: they are counted, not fatal, until no loss scale is left.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import type { Prepare } from "../../src/distill/prepare.ts";
import { distillRun } from "../../src/distill/run.ts";
import { readMetrics } from "../../src/log/index.ts";
import { doneOf, events, fakePrepare, fakeRecipe } from "./fake-run.ts";

const root = mkdtempSync(join(tmpdir(), "stillwave-skipped-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Updates of these numbers overflow; the scale is halved from `scale` on. */
function overflowing(at: readonly number[], scale: number): Prepare {
  return async (recipe, context) => {
    const prepared = await fakePrepare()(recipe, context);
    const scaling = Float32Array.of(scale, 0, 0);
    const learner = { ...prepared.learner };
    learner.apply = async (settings) => {
      const { numbers } = await prepared.learner.apply(settings);
      const isOver = at.includes(learner.state.optimizer.t);
      if (isOver) scaling.set([scaling[0] / 2, 0, scaling[2] + 1]);
      const lossScaling = { scale: scaling[0], skipped: scaling[2] };
      const { gradientNorm, ...rest } = await numbers;
      return { numbers: Promise.resolve({ ...rest, gradientNorm: isOver ? Infinity : gradientNorm, lossScaling }) };
    };
    learner.snapshot = async () => ({ ...learner.state, lossScaling: scaling });
    return { ...prepared, learner };
  };
}

test("rows and summary count them", async () => {
  const outDir = join(root, "goes-on");
  const recipe = fakeRecipe(outDir);
  const { summary } = doneOf(await events(distillRun({ recipe, prepare: overflowing([2, 3, 7], 65536) })));
  expect(summary).toMatchObject({ step: 9, skippedUpdates: 3 });
  const rows = (await readMetrics(join(outDir, "metrics.jsonl"))).filter(({ kind }) => kind === "train");
  const scales = [65536, 32768, 16384, 16384, 16384, 16384, 8192, 8192, 8192];
  expect(rows.map((row) => "lossScale" in row && row.lossScale)).toEqual(scales);
  expect(rows.map((row) => "skippedUpdates" in row && row.skippedUpdates)).toEqual([0, 1, 2, 2, 2, 2, 3, 3, 3]);
  expect(JSON.parse(readFileSync(join(outDir, "summary.json"), "utf8")).skippedUpdates).toBe(3);
});

test("a scale below 1 ends the run", async () => {
  const recipe = fakeRecipe(join(root, "ends"));
  await expect(events(distillRun({ recipe, prepare: overflowing([2, 3], 2) }))).rejects.toThrow(
    /gradient norm is Infinity, though the loss scale fell to 0\.5/,
  );
});

test("runs that do not scale their loss say nothing of it", async () => {
  const outDir = join(root, "plain");
  const { summary } = doneOf(await events(distillRun({ recipe: fakeRecipe(outDir), prepare: fakePrepare() })));
  expect(summary.skippedUpdates).toBeUndefined();
  expect(readFileSync(join(outDir, "metrics.jsonl"), "utf8")).not.toContain("lossScale");
});
