// Checkpoint files: exact round trips, torn and hostile ones, retention, the lock of a run folder.
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { freshState, isRunState, type RunState } from "../../src/distill/state.ts";
import { Random } from "../../src/random.ts";
import {
  checkpointName,
  findLastCheckpoint,
  listCheckpoints,
  pruneCheckpoints,
  restoreCheckpoint,
  setAsideAfter,
  type TrainingState,
  writeCheckpoint,
} from "../../src/training/checkpoints.ts";
import { LOCK_NAME, lockFolder } from "../../src/training/lock.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "stillwave-checkpoints-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function training(
  seed: number,
  shapes: Record<string, number[]> = { "a.weight": [3, 2], "b.bias": [4] },
): TrainingState {
  const random = new Random(seed, "state");
  const numbers = (n: number) => Float32Array.from({ length: n }, () => random.normal());
  const sizes = Object.entries(shapes).map(([name, shape]) => [name, shape, shape.reduce((a, b) => a * b, 1)] as const);
  const size = sizes.reduce((sum, [, , n]) => sum + n, 0);
  return {
    parameters: new Map(sizes.map(([name, shape, n]) => [name, { shape, data: numbers(n) }])),
    optimizer: { m: numbers(size), v: numbers(size), t: seed },
  };
}

const at = (step: number) => ({
  ...freshState(100),
  step,
  seconds: 1.5,
  validatedStep: 3,
  kept: [2, 4],
  best: { step: 3, loss: 0.25 },
});
const all = ({ parameters, optimizer }: TrainingState) => [
  ...[...parameters.values()].flatMap(({ data }) => [...data]),
  ...optimizer.m,
  ...optimizer.v,
  optimizer.t,
];

test("what is written comes back bit by bit", async () => {
  const saved = training(7);
  // values that float32 arithmetic rarely meets
  saved.optimizer.v.set([1e-45, 3.4e38, -0, Number.MIN_VALUE]);
  await writeCheckpoint(folder, at(7), saved);
  const { found, notes } = await findLastCheckpoint(folder, isRunState);
  expect(notes).toEqual([]);
  expect(found!.state).toEqual(at(7));
  const back = training(99);
  await restoreCheckpoint(found!.folder, back);
  expect(all(back).map((x) => Object.is(x, -0))).toEqual(all(saved).map((x) => Object.is(x, -0)));
  expect(all(back)).toEqual(all(saved));
});

test("another student's checkpoint is refused by name and shape", async () => {
  await writeCheckpoint(folder, at(7), training(7));
  const path = join(folder, checkpointName(7));
  const wrongShape = training(1, { "a.weight": [2, 3], "b.bias": [4] });
  await expect(restoreCheckpoint(path, wrongShape)).rejects.toThrow(/"a\.weight" has shape \[3,2\].*\[2,3\]/);
  const wrongName = training(1, { "c.weight": [3, 2], "b.bias": [4] });
  await expect(restoreCheckpoint(path, wrongName)).rejects.toThrow(/no tensor "c\.weight"/);
  const fewer = training(1, { "a.weight": [3, 2] });
  await expect(restoreCheckpoint(path, fewer)).rejects.toThrow(/2 tensors, the training has 1/);
});

test("damage anywhere is noticed: any byte of any file, any cut", async () => {
  await writeCheckpoint(folder, at(5), training(5));
  await writeCheckpoint(folder, at(9), training(9));
  const path = join(folder, checkpointName(9));
  const originals = readdirSync(path).map((name) => [join(path, name), readFileSync(join(path, name))] as const);
  await fc.assert(
    fc.asyncProperty(
      fc.nat(2),
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      fc.boolean(),
      async (which, where, flip, cut) => {
        const [file, original] = originals[which];
        const index = where % original.length;
        const damaged = Buffer.from(cut ? original.subarray(0, index) : original);
        if (!cut) damaged[index] ^= flip;
        writeFileSync(file, damaged);
        const { found, notes } = await findLastCheckpoint(folder, isRunState).catch((error: Error) => {
          // a changed format number cannot be told from another version's file
          expect(error.message).toMatch(/state\.json: format/);
          return { found: undefined, notes: ["another format"] };
        });
        writeFileSync(file, original);
        // state.json carries no checksum of itself: a changed digit may pass, but never another file's content
        if (file.endsWith("state.json")) expect([5, 9, undefined]).toContain(found?.state.step);
        else {
          expect(found!.state.step).toBe(5);
          expect(notes.join()).toMatch(/step-00000009: ignored, not a whole checkpoint/);
        }
      },
    ),
    { numRuns: 120 },
  );
});

test("hostile state files", async () => {
  await writeCheckpoint(folder, at(5), training(5));
  const bad = join(folder, checkpointName(9));
  mkdirSync(bad);
  for (const text of [
    "",
    "null",
    "[]",
    "{}",
    '{"format":1}',
    '{"format":1,"step":9,"files":null}',
    "x".repeat(1 << 17),
  ]) {
    writeFileSync(join(bad, "state.json"), text);
    const result = await findLastCheckpoint(folder, isRunState).catch((error: Error) => error.message);
    if (typeof result === "string") expect(result).toMatch(/format undefined, but this version reads 1/);
    else expect(result.found!.state.step).toBe(5);
  }
});

test("keeps last, best and chosen steps; interrupted writes are cleared, torn checkpoints set aside", async () => {
  for (const step of [2, 4, 6, 8, 10]) await writeCheckpoint(folder, at(step), training(step));
  await pruneCheckpoints(folder, 10, (step) => step === 4 || step === 8);
  expect(await listCheckpoints(folder)).toEqual([4, 8, 10]);
  mkdirSync(join(folder, ".step-00000012.77.tmp"));
  mkdirSync(join(folder, ".removed-step-00000002"));
  writeFileSync(join(folder, "notes.txt"), "mine");
  await setAsideAfter(folder, 8);
  const names = readdirSync(folder);
  expect(names.filter((name) => !name.startsWith("torn-")).sort()).toEqual([
    "notes.txt",
    "step-00000004",
    "step-00000008",
  ]);
  expect(names.filter((name) => /^torn-\d+-step-00000010$/.test(name))).toHaveLength(1);
});

test("a checkpoint that exists keeps its weights; only its state is renewed", async () => {
  await writeCheckpoint(folder, at(4), training(4));
  const before = readFileSync(join(folder, checkpointName(4), "weights.safetensors"));
  const later: RunState = { ...at(4), validatedStep: 4 };
  await writeCheckpoint(folder, later, training(4));
  const { found } = await findLastCheckpoint(folder, isRunState);
  expect(found!.state.validatedStep).toBe(4);
  expect(readFileSync(join(folder, checkpointName(4), "weights.safetensors"))).toEqual(before);
});

test("a place that cannot be written is one clear error", async () => {
  writeFileSync(join(folder, "file"), "");
  await expect(writeCheckpoint(join(folder, "file"), at(4), training(4))).rejects.toThrow(
    /\(E\w+\);.*and resume: earlier checkpoints are untouched/,
  );
});

test("a lock is held, released, and taken over from the dead", async () => {
  const first = await lockFolder(folder);
  expect(first.takenOver).toBeUndefined();
  await expect(lockFolder(folder)).rejects.toThrow(/process \d+ is working/);
  await first.release();
  expect(existsSync(join(folder, LOCK_NAME))).toBe(false);
  // the same number, but born at another time: the number was given to a later process
  writeFileSync(join(folder, LOCK_NAME), JSON.stringify({ pid: process.pid, host: hostname(), born: "12" }));
  const reborn = existsSync("/proc/self/stat");
  if (reborn) {
    const second = await lockFolder(folder);
    expect(second.takenOver).toMatch(/which has ended/);
    await second.release();
  } else console.warn("skipped: no /proc here, process start times are unknown");
});

test("a lock that was never finished blocks for seconds, not for ever", async () => {
  writeFileSync(join(folder, LOCK_NAME), "");
  await expect(lockFolder(folder)).rejects.toThrow(/just starting/);
  const old = Date.now() / 1000 - 60;
  utimesSync(join(folder, LOCK_NAME), old, old);
  const lock = await lockFolder(folder);
  expect(lock.takenOver).toBe("an unfinished lock file");
  await lock.release();
});

test("of many who find a stale lock, one gets it", async () => {
  for (let round = 0; round < 10; round++) {
    writeFileSync(join(folder, LOCK_NAME), JSON.stringify({ pid: 2 ** 30, host: hostname(), born: "" }));
    const results = await Promise.allSettled(Array.from({ length: 8 }, () => lockFolder(folder)));
    const held = results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
    expect(held).toHaveLength(1);
    await held[0].release();
  }
});
