// Trainings of made-up tasks that tests start, interrupt and resume.
import { createAdamWState } from "../../../src/optim/adamw.ts";
import type { Runtime } from "../../../src/runtime/runtime.ts";
import { initHead } from "../../../src/superb/heads/parameters.ts";
import { Head } from "../../../src/superb/heads/step.ts";
import { headlineOf } from "../../../src/superb/measures/index.ts";
import { createObjective } from "../../../src/superb/objectives/index.ts";
import { evaluate } from "../../../src/superb/training/evaluate.ts";
import { Sampler } from "../../../src/superb/training/sampler.ts";
import { FRESH_HEAD_STATE, type HeadState, isHeadState } from "../../../src/superb/training/state.ts";
import { type HeadPlan, type TrainEvent, type TrainParts, trainHead } from "../../../src/superb/training/train.ts";
import { findLastCheckpoint, restoreCheckpoint, setAsideAfter } from "../../../src/training/checkpoints.ts";
import { type MadeUp, type MemorySource, memorySource } from "../made-up.ts";

const plan = (rest: Partial<HeadPlan> = {}): HeadPlan => ({
  learningRate: 0.01,
  schedule: "constant",
  warmup: 0,
  steps: rest.untilStep ?? 20,
  untilStep: 20,
  accumulate: 1,
  clip: 1,
  evaluateEvery: 5,
  patience: null,
  specAugment: false,
  seed: 3,
  ...rest,
});

export interface Prepared extends TrainParts {
  readonly source: MemorySource;
}

/** A training as a run sets it up: from the last checkpoint of its folder if there is one. */
export async function prepare(
  task: MadeUp,
  runtime: Runtime,
  folder: string,
  rest: Partial<Omit<TrainParts, "plan" | "source">> & { plan?: Partial<HeadPlan>; batchSize?: number } = {},
): Promise<Prepared> {
  const { config, input, train, dev, batching, isHigherBetter } = task;
  const source = memorySource(task.states, input);
  const made = plan(rest.plan);
  const head = new Head({
    config,
    input,
    dtype: source.dtype,
    parameters: initHead(config, input, made.seed),
    runtime,
  });
  const optimizer = createAdamWState(head.weights.length);
  const objective = createObjective(task.objective);
  const { found, notes } = await findLastCheckpoint(folder, isHeadState);
  if (notes.length > 0) throw new Error(notes.join("\n"));
  await setAsideAfter(folder, found ? found.state.step : -1);
  if (found) await restoreCheckpoint(found.folder, { parameters: head.parameters, optimizer });
  const { batchSize = 4, plan: _, ...others } = rest;
  return {
    head,
    optimizer,
    start: found?.state ?? FRESH_HEAD_STATE,
    objective,
    source,
    sampler: new Sampler(train, { batching, batchSize, seed: made.seed, framing: source }),
    isHigherBetter,
    folder,
    async evaluateDev() {
      const { signal } = others;
      const evaluated = await evaluate({ head, objective, source, ...(signal && { signal }) }, { utterances: dev });
      if (!evaluated) return undefined;
      const { loss, predictions } = evaluated;
      return { loss, dev: headlineOf(predictions, objective.unit) };
    },
    ...others,
    plan: made,
  };
}

/** Runs to its end and releases the head. */
export async function run(parts: TrainParts, onEvent: (event: TrainEvent) => void = () => {}) {
  const training = trainHead(parts);
  const events: TrainEvent[] = [];
  try {
    for (;;) {
      const next = await training.next();
      if (next.done) return { events, state: next.value };
      events.push(next.value);
      onEvent(next.value);
    }
  } finally {
    await parts.head.release();
  }
}

export const stepsOf = (events: readonly TrainEvent[]) => events.filter((event) => event.kind === "step");

/** Everything of a state that does not tell time. */
export const timeless = ({ seconds: _, ...state }: HeadState) => state;
