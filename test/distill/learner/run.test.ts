// Runs on XLA's CPU device: interrupted, left or killed and resumed they end with the same bits; numbers that are not finite.
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, expect, test, vi } from "vitest";
import type { DistillEvent } from "../../../src/distill/events.ts";
import { type Prepare, prepareRun } from "../../../src/distill/prepare.ts";
import { isRunState } from "../../../src/distill/state.ts";
import { readMetrics } from "../../../src/log/index.ts";
import { findLastCheckpoint } from "../../../src/training/checkpoints.ts";
import { typescriptOptions } from "../../built/built.ts";
import { temporaryFolder } from "../../data/corpora.ts";
import { describeWithPlugin } from "../../runtime/xla/plugin.ts";
import { doneOf, events } from "../fake-run.ts";
import { STEPS, tinyRun, writeParts } from "./tiny-run.ts";

const script = fileURLToPath(new URL("./tiny-run.ts", import.meta.url));

const stepsOf = (all: readonly DistillEvent[]) => all.flatMap((event) => (event.kind === "step" ? [event.step] : []));
const upTo = (last: number) => Array.from({ length: last }, (_, i) => i + 1);

describeWithPlugin("a run on an XLA device", () => {
  let root: string;
  let expected: string;
  let rows: unknown[];
  beforeAll(async () => {
    root = temporaryFolder();
    vi.stubEnv("STILLWAVE_CACHE", join(root, "cache"));
    await writeParts(root);
    const all = await events(tinyRun(root, join(root, "whole")));
    expect(stepsOf(all)).toEqual(upTo(STEPS));
    expected = doneOf(all).summary.weightsSha256;
    rows = await rowsOf(join(root, "whole"));
  });

  /** Rows of metrics without what the clock says. */
  async function rowsOf(outDir: string) {
    const rows = await readMetrics(join(outDir, "metrics.jsonl"));
    return rows.map((row) => {
      const timeless = Object.entries(row).filter(
        ([name]) => !/seconds|time|rate$|PerSecond|share|memory|rss/i.test(name),
      );
      return Object.fromEntries([...timeless, ...("learningRate" in row ? [["learningRate", row.learningRate]] : [])]);
    });
  }

  /** Resumes, and finds the whole run's weights and rows. */
  async function ends(outDir: string) {
    const all = await events(tinyRun(root, outDir, { resume: true }));
    expect(doneOf(all).summary.weightsSha256).toBe(expected);
    expect(await rowsOf(outDir)).toEqual(rows);
    return all;
  }

  test("every update and validation has its row, in order", () => {
    const kinds = (kind: string) => rows.filter((row) => (row as { kind: string }).kind === kind) as { step: number }[];
    expect(kinds("train").map(({ step }) => step)).toEqual(upTo(STEPS));
    expect(kinds("validation").map(({ step }) => step)).toEqual([0, 5, 10, STEPS]);
  });

  test.each([1, 6])("interrupted after the event of step %d and resumed: the same bits", async (step) => {
    const outDir = join(root, `interrupted-${step}`);
    const controller = new AbortController();
    const all: DistillEvent[] = [];
    for await (const event of tinyRun(root, outDir, { signal: controller.signal })) {
      all.push(event);
      if (event.kind === "step" && event.step === step) controller.abort();
    }
    const last = all[all.length - 1];
    // updates that were under way have their events too, and are in the checkpoint
    expect(last.kind === "interrupted" && last.step).toBe(stepsOf(all).at(-1));
    expect(stepsOf(all)).toEqual(upTo(stepsOf(all).length));
    expect(stepsOf(all).length).toBeLessThanOrEqual(step + 2);
    const resumed = await ends(outDir);
    expect([...stepsOf(all), ...stepsOf(resumed)]).toEqual(upTo(STEPS));
  });

  test("left and resumed: the same bits", async () => {
    const outDir = join(root, "left");
    for await (const event of tinyRun(root, outDir)) if (event.kind === "step" && event.step === 7) break;
    const { found } = await findLastCheckpoint(join(outDir, "checkpoints"), isRunState);
    expect(found?.state.step).toBeGreaterThanOrEqual(7);
    await ends(outDir);
  });

  /** Runs the program and kills it once it has printed a step. */
  const killed = (outDir: string, after: number, ...flags: string[]) =>
    new Promise<string | null>((resolve) => {
      const child: ChildProcess = spawn(process.execPath, [...typescriptOptions(), script, root, outDir, ...flags], {
        stdio: ["ignore", "pipe", "ignore"],
      });
      child.stdout?.on("data", (chunk: Buffer) => {
        if (chunk.toString().includes(`step ${after}\n`)) child.kill("SIGKILL");
      });
      child.on("close", (_, signal) => resolve(signal));
    });

  test("killed twice and resumed: the same bits", async () => {
    const outDir = join(root, "killed");
    expect(await killed(outDir, 5)).toBe("SIGKILL");
    expect(await killed(outDir, 9, "--resume")).toBe("SIGKILL");
    expect(existsSync(join(outDir, "run.lock"))).toBe(true);
    await ends(outDir);
  });

  test("a number that is not finite stops the run as on the host: same message, same last checkpoint", async () => {
    const bad = 8;
    let lastDrawn = 0;
    const spoilt: Prepare = async (recipe, context) => {
      const prepared = await prepareRun(recipe, context);
      const { train } = prepared.speech;
      async function* batches(epoch: number, from: number) {
        let step = epoch * train.batchesPerEpoch + from;
        for await (const batch of train.batches(epoch, from)) {
          lastDrawn = ++step;
          yield step === bad ? { ...batch, wave: batch.wave.slice().fill(Number.NaN, 5, 6) } : batch;
        }
      }
      return { ...prepared, speech: { ...prepared.speech, train: { ...train, batches } } };
    };
    const ended = async (device?: "cpu") => {
      const outDir = join(root, `spoilt-${device}`);
      const seen: DistillEvent[] = [];
      const run = async () => {
        for await (const event of tinyRun(root, outDir, { device, prepare: spoilt })) seen.push(event);
      };
      const message = await run().catch((error: Error) => error.message);
      const { found } = await findLastCheckpoint(join(outDir, "checkpoints"), isRunState);
      expect(existsSync(join(outDir, "last"))).toBe(false);
      return { message, steps: stepsOf(seen), checkpoint: found?.state.step };
    };
    const host = await ended("cpu");
    const seen = await ended();
    // two updates may have been begun after it, and the batch after them was asked for
    expect(lastDrawn).toBeLessThanOrEqual(bad + 3);
    expect(seen).toEqual(host);
    expect(seen.message).toMatch(new RegExp(`^step ${bad}: loss is NaN.*train\\d\\.wav.*train\\d\\.wav`, "s"));
    expect(seen.steps).toEqual(upTo(bad - 1));
    expect(seen.checkpoint).toBe(6);
  });
});
