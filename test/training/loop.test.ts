// The loop of every training: a toy that is interrupted anywhere ends with the bits of one that is not.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { listCheckpoints } from "../../src/training/checkpoints.ts";
import { startToy, type ToyEvent, type ToyOptions } from "./toy.ts";

let root: string;
let folders = 0;
const folder = () => join(root, String(folders++));
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "stillwave-loop-"));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Runs until it ends by itself or, by leaving the loop, at its `leaveAt`-th event. */
async function run(at: string, options: ToyOptions = {}, leaveAt = Number.POSITIVE_INFINITY) {
  const { live, run } = await startToy(at, options);
  const events: ToyEvent[] = [];
  for (;;) {
    const next = await run.next();
    if (next.done) {
      const { weights, m, v, t } = { weights: live.parameters.get("w")!.data, ...live.optimizer };
      return { events, state: next.value, bits: [weights, m, v].map((array) => [...array]), t };
    }
    events.push(next.value);
    if (events.length === leaveAt) {
      await run.return(undefined as never);
      return undefined;
    }
  }
}

const shown = (events: readonly ToyEvent[]) => events.map(({ kind, step }) => `${kind} ${step}`);

test("updates, evaluations where they are due, checkpoints of the cadence, of the best and of the end", async () => {
  const at = folder();
  const { events, state } = (await run(at, { total: 7, evaluateEvery: 3, checkpointEvery: 4 }))!;
  const best = state.best!.step;
  const expected = ["evaluation 0", "step 1", "step 2", "step 3", "evaluation 3"];
  expect(shown(events).slice(0, 5)).toEqual(expected);
  expect(shown(events).filter((text) => text.startsWith("checkpoint"))).toEqual(
    [3, 4, 6, 7]
      .filter((step) => step === 4 || step === 7 || bestAt(state.evaluations, step))
      .map((step) => `checkpoint ${step}`),
  );
  expect(await listCheckpoints(at)).toEqual([...new Set([best, 7])].sort((a, b) => a - b));
});

const bestAt = (evaluations: readonly (readonly [number, number])[], step: number) => {
  const index = evaluations.findIndex(([at]) => at === step);
  return index >= 0 && evaluations.slice(0, index).every(([, loss]) => evaluations[index][1] < loss);
};

test("interrupted by signal, by leaving the loop and by crashes at random points, it ends with the same bits", async () => {
  const options = { empty: [5, 11] };
  const whole = (await run(folder(), options))!;
  const kinds = fc.constantFrom("signal", "leave", "leave unsaved", "crash");
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(kinds, fc.integer({ min: 1, max: 15 })), { minLength: 1, maxLength: 3 }),
      async (stops) => {
        const at = folder();
        for (const [kind, point] of stops) {
          const controller = new AbortController();
          const before = (work: number) => {
            if (work !== point) return;
            if (kind === "signal") controller.abort();
            if (kind === "crash") throw new Error("power cut");
          };
          const savesWhenLeft = kind !== "leave unsaved";
          const stopped = run(
            at,
            { ...options, before, savesWhenLeft, signal: controller.signal },
            kind.startsWith("leave") ? point : undefined,
          );
          await stopped.catch((error: Error) => expect(error.message).toBe("power cut"));
        }
        const ended = (await run(at, options))!;
        expect(ended.bits).toEqual(whole.bits);
        expect(ended.t).toBe(whole.t);
        expect({ ...ended.state, seconds: 0 }).toEqual({ ...whole.state, seconds: 0 });
      },
    ),
    { numRuns: 12 },
  );
});

test("the signal leaves a checkpoint of the last whole update, an error leaves the one before it", async () => {
  const at = folder();
  const controller = new AbortController();
  const abort = (work: number) => {
    if (work === 7) controller.abort();
  };
  const { state } = (await run(at, { before: abort, signal: controller.signal, evaluateEvery: 100 }))!;
  // the evaluation of step 0 and five updates came before
  expect(state.step).toBe(5);
  expect(await listCheckpoints(at)).toEqual([5]);
  const crash = () => {
    throw new Error("power cut");
  };
  await expect(run(at, { before: crash, evaluateEvery: 100 })).rejects.toThrow("power cut");
  expect((await listCheckpoints(at)).at(-1)).toBe(5);
});

test("an evaluation that an interruption cut off is made up for, and on the disk before the next update", async () => {
  const at = folder();
  const controller = new AbortController();
  // evaluation 0, four updates, then the evaluation of step 4
  const abort = (work: number) => {
    if (work === 6) controller.abort();
  };
  const cut = (await run(at, { before: abort, signal: controller.signal }))!;
  expect(cut.state).toMatchObject({ step: 4, evaluations: [[0, expect.any(Number)]] });
  const crash = (work: number) => {
    if (work === 2) throw new Error("power cut");
  };
  await expect(run(at, { before: crash })).rejects.toThrow("power cut");
  const { events } = (await run(at, {}))!;
  expect(shown(events)[0]).toBe("step 5");
});

test("an update that had nothing to learn from counts, and is followed by nothing", async () => {
  const { events, state } = (await run(folder(), { total: 6, empty: [3, 4, 6], checkpointEvery: 4 }))!;
  expect(state.step).toBe(6);
  expect(state.evaluations.map(([step]) => step)).toEqual([0]);
  expect(shown(events)).toEqual(["evaluation 0", "step 1", "step 2", "step 5", "checkpoint 6"]);
});
