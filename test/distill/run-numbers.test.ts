// What a run computes: accumulation, validation, masks; and what it does about numbers that are not finite.
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { DistillEvent } from "../../src/distill/events.ts";
import { layersObjective } from "../../src/distill/objectives/layers.ts";
import { isRunState } from "../../src/distill/state.ts";
import type { DistillStep } from "../../src/distill/step.ts";
import { readMetrics } from "../../src/log/index.ts";
import { findLastCheckpoint } from "../../src/training/checkpoints.ts";
import { doneOf, events, type FakeOptions, fakeBatch, fakeStep, start } from "./fake-run.ts";

let root: string;
let counter = 0;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "stillwave-run-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const fresh = () => join(root, `run-${counter++}`);

describe("broken numbers", () => {
  const nanAt =
    (call: number, what: "loss" | "gradient") =>
    (step: DistillStep): DistillStep => {
      let n = 0;
      return {
        ...step,
        accumulate: async (...args) => {
          const losses = await step.accumulate(...args);
          if (++n !== call) return losses;
          if (what === "gradient") step.gradients[0] = Number.NaN;
          return what === "loss" ? { ...losses, total: Number.POSITIVE_INFINITY } : losses;
        },
      };
    };

  test("a loss or gradient that is not finite stops the run, names step and files, keeps the last good checkpoint", async () => {
    for (const [what, files] of [
      ["loss", 2],
      ["gradient", 6],
    ] as const) {
      const outDir = fresh();
      const seen: DistillEvent[] = [];
      let message = "";
      try {
        for await (const event of start(outDir, { fake: { wrap: nanAt(14, what) } })) seen.push(event);
      } catch (error) {
        message = (error as Error).message;
      }
      expect(message).toMatch(what === "loss" ? /step 5: loss is Infinity/ : /step 5: gradient norm is NaN/);
      expect(message.match(/\/speech\/.*\.flac/g)).toHaveLength(files);
      expect(seen.filter((event) => event.kind === "step").map(({ step }) => step)).toEqual([1, 2, 3, 4]);
      const { found } = await findLastCheckpoint(join(outDir, "checkpoints"), isRunState);
      expect(found!.state.step).toBe(4);
      expect(existsSync(join(outDir, "last"))).toBe(false);
    }
  });

  test("a validation loss that is not finite stops the run", async () => {
    const bad = fakeBatch("bad", [3200]);
    bad.wave[0] = Number.NaN;
    await expect(events(start(fresh(), { fake: { validation: [bad] } }))).rejects.toThrow(
      /step 0: validation loss is NaN.*bad-0\.flac/s,
    );
  });
});

test("accumulated micro-batches equal one big batch", async () => {
  // Without dropout and mask, equal lengths: 3 micro-batches of 2 against 1 batch of 6.
  const still = (step: DistillStep): DistillStep => ({
    ...step,
    accumulate: async ({ batch }, scale) => {
      const clean = fakeStep();
      clean.weights.set(step.weights);
      const h = 1e-3;
      const at = async (i: number, delta: number) => {
        clean.weights.set(step.weights);
        clean.weights[i] += delta;
        return (await clean.validate(batch)).total;
      };
      for (let i = 0; i < step.weights.length; i++)
        step.gradients[i] += (scale * ((await at(i, h)) - (await at(i, -h)))) / (2 * h);
      clean.weights.set(step.weights);
      return clean.validate(batch);
    },
  });
  const lengths = [6400, 6400];
  const small = (index: number) => fakeBatch(`s${index}`, lengths);
  const big = (index: number) => {
    const parts = [0, 1, 2].map((k) => small(index * 3 + k));
    const wave = Float32Array.from(parts.flatMap((part) => [...part.wave]));
    return { ...parts[0], wave, samples: [6400, 6400, 6400, 6400, 6400, 6400] };
  };
  const final = async (
    accumulate: number,
    batches: number,
    batch: (epoch: number, index: number) => ReturnType<typeof small>,
  ) => {
    let values: number[] = [];
    const fake: FakeOptions = {
      batches,
      batch,
      wrap: still,
      written: (_, parameters) => {
        values = [...parameters.values()].flatMap(({ data }) => [...data]);
      },
    };
    await events(start(fresh(), { fake, set: [`optimizer.accumulate=${accumulate}`, "run.epochs=2"] }));
    return values;
  };
  const accumulated = await final(3, 6, (_, index) => small(index));
  const whole = await final(1, 2, (_, index) => big(index));
  const untouched = [...fakeStep().weights];
  for (let i = 0; i < whole.length; i++) {
    expect(Math.abs(accumulated[i] - whole[i])).toBeLessThan(2e-4);
    expect(Math.abs(whole[i] - untouched[i])).toBeGreaterThan(1e-3);
  }
});

describe("divergence", () => {
  /** As good as it gets before the first update: everything later is worse. */
  const perfect = (step: DistillStep): DistillStep => {
    step.weights.set([-1.5, -0.5, 0.5, 1.5, 2.5, 0.3]);
    return step;
  };
  const fake: FakeOptions = { wrap: perfect };
  const validationsOf = (all: readonly DistillEvent[]) =>
    all.flatMap((event) => (event.kind === "validation" ? [event] : []));

  test("a validation loss above 1.5 times the first is told, and is never the best so far", async () => {
    const all = await events(start(fresh(), { fake }));
    const [first, ...later] = validationsOf(all);
    expect(first).toMatchObject({ step: 0, best: false, diverged: false });
    expect(later.every(({ loss }) => loss > 1.5 * first.loss)).toBe(true);
    expect(later.map(({ best, diverged }) => [best, diverged])).toEqual(later.map(() => [false, true]));
    const { summary } = doneOf(all);
    const lowest = later.toSorted((a, b) => a.loss - b.loss)[0];
    expect(summary.best).toEqual({ step: lowest.step, loss: lowest.loss });
    expect(summary.diverged).toBe(true);
  });

  test("a run that learns has not diverged, and its best validation is one after an update", async () => {
    const all = await events(start(fresh()));
    expect(validationsOf(all).map(({ diverged }) => diverged)).toEqual([false, false, false, false]);
    expect(doneOf(all).summary).toMatchObject({ diverged: false });
    const { summary } = doneOf(await events(start(fresh(), { fake })));
    expect(summary.best!.step).toBeGreaterThan(0);
    expect(summary.best!.loss).toBeGreaterThan(summary.initialValidation!);
  });

  test("stopOnDivergence stops at the first such validation, and a resume without it ends as a run that never stopped", async () => {
    const whole = doneOf(await events(start(fresh(), { fake }))).summary;
    const outDir = fresh();
    const set = ["run.stopOnDivergence=true"];
    const seen: DistillEvent[] = [];
    const run = async (options: Parameters<typeof start>[1]) => {
      for await (const event of start(outDir, options)) seen.push(event);
    };
    await expect(run({ fake, set })).rejects.toThrow(
      /step 3: the validation loss is .* the run has diverged and stops/,
    );
    expect(seen.at(-1)).toMatchObject({ kind: "checkpoint", step: 3 });
    await expect(run({ fake, set, resume: true })).rejects.toThrow(/step 3: the validation loss/);
    expect(seen.filter(({ kind }) => kind === "step")).toHaveLength(3);
    const { summary } = doneOf(await events(start(outDir, { fake, resume: true })));
    expect({ ...summary, seconds: 0 }).toEqual({ ...whole, seconds: 0 });
  });

  test("stopOnDivergence without a validation set is refused", () => {
    expect(() =>
      start(fresh(), { set: ["run.stopOnDivergence=true", "data.validation=null"] })[Symbol.asyncIterator](),
    ).toThrow("needs data.validation");
  });
});

test("the masked and the unmasked loss of a step add up to its total, weighted as the recipe says", async () => {
  const targets = [0, 1].map((layer) => ({ teacher: 0, layers: [layer], pass: "mixed" as const, dim: 1 }));
  const objectives = [layersObjective({ kind: "mse", hintWeight: 0.25, lastWeight: 2 }, targets)];
  const terms = { "layers.masked": [3, 7], "layers.unmasked": [5, 11] };
  const losses = { terms, total: 0.25 * 8 + 2 * 18 };
  const wrap = (step: DistillStep): DistillStep => ({
    ...step,
    objectives,
    accumulate: async (...args) => ({ ...(await step.accumulate(...args)), ...losses }),
    validate: async (...args) => ({ ...(await step.validate(...args)), ...losses }),
  });
  const set = ["run.epochs=1"];
  for await (const { loss } of start(fresh(), { fake: { wrap }, set }).steps()) {
    expect(loss).toMatchObject({ masked: 0.25 * 3 + 2 * 7, unmasked: 0.25 * 5 + 2 * 11 });
    expect(loss).toMatchObject({ hintMasked: 3, hintUnmasked: 5, lastMasked: 7, lastUnmasked: 11 });
    expect(loss.masked + loss.unmasked).toBe(loss.total);
  }
});

test("validation weighs batches by their valid frames", async () => {
  const parts = [fakeBatch("a", [9600, 3200]), fakeBatch("b", [1600])];
  const all = await events(start(fresh(), { fake: { validation: parts } }));
  const first = all.find((event) => event.kind === "validation")!;
  const losses = await Promise.all(parts.map((batch) => fakeStep().validate(batch)));
  expect(first.kind === "validation" && first.loss).toBeCloseTo((losses[0].total * 40 + losses[1].total * 5) / 45, 10);
});

test("micro-batches without usable files are passed over; an epoch of nothing but them is an error", async () => {
  const none = (epoch: number, index: number) => fakeBatch(`${epoch} ${index}`, index === 1 ? [] : [6400]);
  expect(doneOf(await events(start(fresh(), { fake: { batch: none } }))).step).toBe(9);
  // one batch an update: updates without a file are counted, the rest goes on
  const alone = start(fresh(), { set: ["optimizer.accumulate=1"], fake: { batch: none } });
  expect(doneOf(await events(alone)).step).toBe(28);
  const empty = () => fakeBatch("x", []);
  await expect(events(start(fresh(), { fake: { batch: empty } }))).rejects.toThrow(
    /step \d+: none of the files of the last/,
  );
});

test("the mask probability follows its schedule over epochs", async () => {
  const outDir = fresh();
  const set = ["masking.probability={from: 0, to: 0.8}", "optimizer.accumulate=7"];
  await events(start(outDir, { set }));
  const rows = (await readMetrics(join(outDir, "metrics.jsonl"))).flatMap((row) => (row.kind === "train" ? [row] : []));
  expect(rows[0].maskedFraction).toBe(0);
  expect(rows[3].maskedFraction).toBeGreaterThan(rows[1].maskedFraction);
});
