// The sweep over learning rates: dev chooses, only the best goes on, rates that diverge end nothing, and it resumes anywhere.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { StillwaveError } from "../../../src/errors.ts";
import { createRuntime } from "../../../src/runtime/node/index.ts";
import type { Runtime } from "../../../src/runtime/runtime.ts";
import { createObjective } from "../../../src/superb/objectives/index.ts";
import { resolveTraining } from "../../../src/superb/recipe/defaults.ts";
import { checkSettings } from "../../../src/superb/recipe/read.ts";
import type { TrainingSettings } from "../../../src/superb/recipe/schema.ts";
import type { EvaluationEvent } from "../../../src/superb/run/events.types.ts";
import { type SweepParts, sweep } from "../../../src/superb/run/sweep.ts";
import { taskNamed } from "../../../src/superb/tasks/index.ts";
import { Sampler } from "../../../src/superb/training/sampler.ts";
import { checkpointName } from "../../../src/training/checkpoints.ts";
import { type MadeUp, madeUp, memorySource } from "../made-up.ts";

let runtime: Runtime;
let root: string;
let folders = 0;
const folder = () => join(root, String(folders++));
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "stillwave-sweep-"));
  runtime = await createRuntime({ threads: 1 });
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Learns, learns nothing, and diverges: in a few updates of a made-up task. */
const [GOOD, SMALL, HUGE] = [0.05, 1e-7, 1e30];

function partsOf(task: MadeUp, at: string, choices: TrainingSettings, stopAt?: number): SweepParts {
  const known = taskNamed(task.config.kind === "utterance" ? "sid" : "pr");
  const settings = resolveTraining(known.recipe, { patience: 0, evaluateEvery: 4, accumulate: 1, batchSize: 8, ...choices }, () => 5); // biome-ignore format: one line
  const controller = new AbortController();
  const source = memorySource(task.states, task.input);
  source.onBatch = (number) => {
    if (number === stopAt) controller.abort();
  };
  const { batchSize, seed } = settings;
  return {
    task: known,
    settings,
    folder: at,
    config: task.config,
    input: task.input,
    objective: createObjective(task.objective),
    source,
    sampler: new Sampler(task.train, { batching: task.batching, batchSize, seed, framing: source }),
    chooser: { utterances: task.dev },
    checkpointsFrom: "dev" as const,
    runtime,
    log: {
      loggers: ["tensorboard"],
      record: { created: "2026-11-27T02:00:00.000Z" },
      asked: checkSettings(known, {
        task: known.name,
        upstream: { model: "fbank" },
        data: { root: at },
        run: { outDir: at },
      }),
      whole: at,
      note: (text) => expect.fail(text),
    },
    signal: controller.signal,
  };
}

async function run(parts: SweepParts) {
  const events: EvaluationEvent[] = [];
  const sweeping = sweep(parts);
  for (;;) {
    const next = await sweeping.next();
    if (next.done) return { events, result: next.value };
    events.push(next.value);
  }
}

const trainings = (events: readonly EvaluationEvent[]) =>
  events.flatMap((event) => (event.kind === "training" ? [[event.learningRate, event.step, event.untilStep]] : []));
const weightsAt = (at: string, rate: number, step: number) =>
  readFileSync(join(at, "training", `lr-${rate.toExponential()}`, checkpointName(step), "weights.safetensors"));

describe("dev chooses", () => {
  test.each(["utterance", "frames"] as const)("%s: the best rate, trained to the end", async (kind) => {
    const [at, alone] = [folder(), folder()];
    const rates = [SMALL, GOOD, HUGE];
    const { events, result } = await run(
      partsOf(madeUp(kind), at, { learningRates: rates, steps: 24, sweepSteps: 24 }),
    );
    const { trained, chosen } = result!;
    expect(chosen.learningRate).toBe(GOOD);
    expect(trained.map(({ learningRate }) => learningRate)).toEqual(rates);
    expect(trainings(events)).toEqual(rates.map((rate) => [rate, 0, 24]));
    expect(events.filter(({ kind }) => kind === "chosen")).toEqual([
      { kind: "chosen", learningRate: GOOD, dev: chosen.state.best!.dev, on: "dev", among: 3 },
    ]);
    // by the definition: no other has a better score
    const isHigher = kind === "utterance";
    const best = trained.flatMap(({ state }) => (state.best ? [state.best.dev] : []));
    expect(chosen.state.best!.dev).toBe(isHigher ? Math.max(...best) : Math.min(...best));
    expect(best.length).toBe(2);
    // the rates do not see each other
    await run(partsOf(madeUp(kind), alone, { learningRates: [GOOD], steps: 24 }));
    expect(weightsAt(at, GOOD, 24).equals(weightsAt(alone, GOOD, 24))).toBe(true);
    for (const rate of rates) expect(readdirSync(join(at, "tensorboard", `lr-${rate.toExponential()}`)).length).toBe(1);
  });

  test("of equals the first", async () => {
    // both learn nothing in a step
    const rates = [1e-9, 1e-10];
    const { result } = await run(partsOf(madeUp("utterance"), folder(), { learningRates: rates, steps: 1 }));
    expect(result!.trained[0].state.best!.dev).toBe(result!.trained[1].state.best!.dev);
    expect(result!.chosen.learningRate).toBe(1e-9);
  });

  test("a single rate is not chosen, it is trained", async () => {
    const { events, result } = await run(partsOf(madeUp("utterance"), folder(), { learningRates: [GOOD], steps: 6, sweepSteps: 2 })); // biome-ignore format: one line
    expect(events.some(({ kind }) => kind === "chosen")).toBe(false);
    expect(trainings(events)).toEqual([[GOOD, 0, 6]]);
    expect(result!.chosen.state.step).toBe(6);
  });
});

describe("after the sweep's updates", () => {
  test("only the best goes on, to where it would be by itself", async () => {
    const [at, alone] = [folder(), folder()];
    const rates = [HUGE, GOOD, SMALL];
    const { events, result } = await run(partsOf(madeUp("utterance"), at, { learningRates: rates, steps: 17, sweepSteps: 8 })); // biome-ignore format: one line
    expect(trainings(events)).toEqual([
      [HUGE, 0, 8],
      [GOOD, 0, 8],
      [SMALL, 0, 8],
      [GOOD, 8, 17],
    ]);
    expect(result!.trained.map(({ state }) => state.step)).toEqual([8, 17, 8]);
    const single = await run(partsOf(madeUp("utterance"), alone, { learningRates: [GOOD], steps: 17 }));
    const timeless = ({ curve, best }: { curve: unknown; best: unknown }) => ({ curve, best });
    expect(timeless(result!.chosen.state)).toEqual(timeless(single.result!.chosen.state));
    expect(weightsAt(at, GOOD, 17).equals(weightsAt(alone, GOOD, 17))).toBe(true);
  });

  test("under warm-up the schedule is that of all updates", async () => {
    const rates = [GOOD, SMALL];
    const choices = { learningRates: rates, steps: 10, sweepSteps: 4, schedule: "warmup", warmup: 2 } as const;
    const { events } = await run(partsOf(madeUp("utterance"), folder(), choices));
    const of = (rate: number) =>
      events.flatMap((event) => (event.kind === "step" && event.learningRate <= rate && event.learningRate > rate / 100 ? [event.learningRate / rate] : [])); // biome-ignore format: one line
    // 0 is the first
    expect(of(GOOD)).toEqual(
      [0.5, 1, 7 / 8, 6 / 8, 5 / 8, 4 / 8, 3 / 8, 2 / 8, 1 / 8].map((x) => expect.closeTo(x, 9)),
    );
    expect(of(SMALL)).toEqual([0.5, 1, 7 / 8].map((x) => expect.closeTo(x, 9)));
  });
});

describe("where rates diverge", () => {
  test.each(["utterance", "frames", "bilstm"] as const)("%s: all of them: the error says what to do", async (kind) => {
    const at = folder();
    // an LSTM's output is bounded: the logits overflow where the weights do
    const learningRates = kind === "bilstm" ? [2e38, 3e38] : [HUGE, 3e38];
    const parts = partsOf(madeUp(kind), at, { learningRates, steps: 6 });
    await expect(run(parts)).rejects.toThrow("no learning rate gave a score on dev; lower them");
    await expect(run(parts)).rejects.toThrow(StillwaveError);
    expect(existsSync(join(at, "training", "lr-3e+38"))).toBe(true);
  });

  test("the only one", async () => {
    await expect(run(partsOf(madeUp("utterance"), folder(), { learningRates: [HUGE], steps: 6 }))).rejects.toThrow("lower them"); // biome-ignore format: one line
  });
});

test("interrupted anywhere, it ends as it would have", async () => {
  const choices = { learningRates: [SMALL, GOOD, HUGE], steps: 11, sweepSteps: 5 };
  const task = madeUp("utterance", { dev: 40 });
  const whole = folder();
  const parts = partsOf(task, whole, choices);
  const { result: expected } = await run(parts);
  const batches = (parts.source as ReturnType<typeof memorySource>).asked.length;
  const timeless = (trained: typeof expected) =>
    trained!.trained.map(({ learningRate, state: { seconds: _, ...state } }) => ({ learningRate, state }));
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 1, max: batches }), { minLength: 1, maxLength: 3 }), async (stops) => {
      const at = folder();
      for (const stop of stops) await run(partsOf(task, at, choices, stop));
      const { result } = await run(partsOf(task, at, choices));
      expect(result!.chosen.learningRate).toBe(expected!.chosen.learningRate);
      expect(timeless(result)).toEqual(timeless(expected));
      expect(weightsAt(at, GOOD, 11).equals(weightsAt(whole, GOOD, 11))).toBe(true);
    }),
    { numRuns: 5 },
  );
});
