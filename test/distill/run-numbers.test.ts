// What a run computes: accumulation, validation, masks; and what it does about numbers that are not finite.
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { DistillEvent } from "../../src/distill/events.ts";
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
    accumulate: async (batch, _mask, scale) => {
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
