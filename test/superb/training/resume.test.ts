// Interrupted trainings end as uninterrupted ones do, bit for bit: stopped by the signal at any batch, or cut off by a crash.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createRuntime } from "../../../src/runtime/node/index.ts";
import type { Runtime } from "../../../src/runtime/runtime.ts";
import { type HeadState, isHeadState } from "../../../src/superb/training/state.ts";
import type { HeadPlan } from "../../../src/superb/training/train.ts";
import {
  checkpointName,
  findLastCheckpoint,
  listCheckpoints,
  writeCheckpoint,
} from "../../../src/training/checkpoints.ts";
import { type MadeUp, madeUp } from "../made-up.ts";
import { prepare, run, timeless } from "./training.ts";

let runtime: Runtime;
let root: string;
let folders = 0;
const folder = () => join(root, String(folders++));
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "stillwave-resume-"));
  runtime = await createRuntime({ threads: 1 });
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

interface Ended {
  readonly state: Omit<HeadState, "seconds">;
  readonly weights: Float32Array;
  readonly m: Float32Array;
  readonly v: Float32Array;
  readonly t: number;
  /** Batches that were asked for. */
  readonly asked: number;
}

/** Begins or resumes the training in `at`; ends it at batch `stopAt` of this process, by signal or by crash. */
async function attempt(
  task: MadeUp,
  changes: Partial<HeadPlan>,
  at: string,
  stopAt?: number,
  crash = false,
): Promise<Ended> {
  const controller = new AbortController();
  const parts = await prepare(task, runtime, at, { plan: changes, signal: controller.signal });
  parts.source.onBatch = (number) => {
    if (number !== stopAt) return;
    if (crash) throw new Error("power cut");
    controller.abort();
  };
  // a gradient that is not finite in update 3, whoever does it
  parts.source.change = ({ data }) => {
    const { utterances } = parts.sampler.at(2 * (changes.accumulate ?? 1));
    const asked = parts.source.asked.at(-1)!;
    if (asked.map(({ id }) => id).join() === utterances.map(({ id }) => id).join()) data[0] = Number.NaN;
  };
  const { state } = await run(parts);
  const { m, v, t } = parts.optimizer;
  return { state: timeless(state), weights: parts.head.weights, m, v, t, asked: parts.source.asked.length };
}

const plans: Record<"frames" | "bilstm" | "utterance", Partial<HeadPlan>> = {
  frames: { untilStep: 10, evaluateEvery: 4, accumulate: 2 },
  bilstm: { untilStep: 8, evaluateEvery: 3, accumulate: 2, specAugment: true },
  utterance: { untilStep: 12, evaluateEvery: 5, schedule: "warmup", warmup: 3, steps: 12 },
};

describe.each(["frames", "bilstm", "utterance"] as const)("%s", (kind) => {
  // wide enough that not every feature is masked
  const task = madeUp(kind, { dim: kind === "bilstm" ? 90 : 6, train: 18, dev: 40 });
  const changes = plans[kind];
  let whole: Ended;
  beforeAll(async () => {
    whole = await attempt(task, changes, folder());
    expect(whole.state.step).toBe(changes.untilStep);
    expect(whole.state.skippedSteps).toBeGreaterThan(0);
    expect(whole.weights.every(Number.isFinite)).toBe(true);
  });

  test("stopped at random batches", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 14 }), { minLength: 1, maxLength: 4 }), async (stops) => {
        const at = folder();
        for (const stop of stops) {
          const { state } = await attempt(task, changes, at, stop);
          const { found } = await findLastCheckpoint(at, isHeadState);
          // what it says it has done is on the disk
          expect(timeless(found!.state)).toEqual(state);
        }
        const ended = await attempt(task, changes, at);
        expect(ended.state).toEqual(whole.state);
        expect(same(ended, whole)).toBe(true);
      }),
      { numRuns: 4 },
    );
  });

  test("cut off by a crash", async () => {
    const at = folder();
    for (const stop of [3, whole.asked - 1, 2, 1]) await expect(attempt(task, changes, at, stop, true)).rejects.toThrow("power cut"); // biome-ignore format: one line
    const ended = await attempt(task, changes, at);
    expect(ended.asked).toBeLessThan(whole.asked);
    expect(ended.state).toEqual(whole.state);
    expect(same(ended, whole)).toBe(true);
  });
});

const same = (a: Omit<Ended, "asked">, b: Ended) =>
  (["weights", "m", "v"] as const).every((name) => Buffer.compare(bytes(a[name]), bytes(b[name])) === 0) && a.t === b.t;
const bytes = ({ buffer, byteOffset, byteLength }: Float32Array) => Buffer.from(buffer, byteOffset, byteLength);

describe("an evaluation that was cut off", () => {
  const task = madeUp("utterance", { train: 18, dev: 40 });

  test("an evaluation that was cut off is made up for, and then it is on the disk", async () => {
    const at = folder();
    const changes = { untilStep: 4, evaluateEvery: 3 };
    const whole = await attempt(task, changes, folder());
    // dev are two batches: three updates, dev, an update, and the first half of dev again
    const cut = await attempt(task, changes, at, 7);
    expect(cut.state).toMatchObject({ step: 4, curve: [{ step: 3 }] });
    const ended = await attempt(task, changes, at);
    expect(ended.state).toEqual(whole.state);
    expect(ended.asked).toBe(2);
    const { found } = await findLastCheckpoint(at, isHeadState);
    expect(timeless(found!.state)).toEqual(whole.state);
  });

  test("an evaluation that was cut off is made up for also by a training that goes on further", async () => {
    const at = folder();
    const whole = folder();
    // what a sweep does: to its fourth update first, then on
    const [short, long] = [
      { untilStep: 4, evaluateEvery: 3 },
      { untilStep: 8, evaluateEvery: 3 },
    ];
    await attempt(task, short, whole);
    const expected = await attempt(task, long, whole);
    expect(expected.state.curve.map(({ step }) => step)).toEqual([3, 4, 6, 8]);
    await attempt(task, short, at, 7);
    await attempt(task, short, at);
    expect((await attempt(task, long, at)).state).toEqual(expected.state);
  });
});

test("only the best and the last checkpoint stay", async () => {
  const at = folder();
  const { state } = await attempt(madeUp("utterance"), { untilStep: 12, evaluateEvery: 2 }, at);
  expect(await listCheckpoints(at)).toEqual([...new Set([state.best!.step, 12])]);
});

test("a checkpoint of something else is not taken", async () => {
  const at = folder();
  const parts = await prepare(madeUp("utterance"), runtime, at);
  const training = { parameters: parts.head.parameters, optimizer: parts.optimizer };
  await writeCheckpoint(at, { step: 3 }, training);
  const { found, notes } = await findLastCheckpoint(at, isHeadState);
  expect(found).toBeUndefined();
  expect(notes.join()).toMatch(`${checkpointName(3)}: ignored, not a whole checkpoint`);
});
