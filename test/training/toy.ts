// A training without an engine, for the tests of the loop: four weights on a noisy quadratic, AdamW, evaluations.
import { adamwUpdate, createAdamWState } from "../../src/optim/adamw.ts";
import { Random } from "../../src/random.ts";
import { type CheckpointState, restoreLast } from "../../src/training/checkpoints.ts";
import { type LoopState, runTraining, type Trainer } from "../../src/training/loop.ts";

export interface ToyState extends LoopState {
  readonly evaluations: readonly (readonly [step: number, loss: number])[];
}

export type ToyEvent = { readonly kind: "step" | "evaluation" | "checkpoint"; readonly step: number };

export interface ToyOptions {
  readonly total?: number;
  readonly evaluateEvery?: number;
  readonly checkpointEvery?: number;
  /** Updates that have nothing to learn from. */
  readonly empty?: readonly number[];
  readonly signal?: AbortSignal;
  readonly savesWhenLeft?: boolean;
  /** Called before each update and evaluation of this process, with its number from 1. */
  readonly before?: (work: number) => void;
}

const size = 4;
const adam = { betas: [0.9, 0.98], eps: 1e-6, decay: [{ start: 0, end: size, weightDecay: 0.01 }] } as const;
const isToyState = (state: CheckpointState): state is ToyState => Array.isArray((state as ToyState).evaluations);

/** Goes on from the last checkpoint in `checkpoints`, where there is one. */
export async function startToy(checkpoints: string, options: ToyOptions = {}) {
  const { total = 12, evaluateEvery = 4, checkpointEvery = 5, empty = [], signal, savesWhenLeft = true } = options;
  const weights = Float32Array.from({ length: size }, (_, i) => Math.sin(i));
  const live = {
    parameters: new Map([["w", { shape: [size], data: weights }]]),
    optimizer: createAdamWState(size),
  };
  const { found } = await restoreLast(checkpoints, live, isToyState, false);
  const start: ToyState = found?.state ?? { step: 0, seconds: 0, best: null, evaluations: [] };
  let work = 0;
  const trainer: Trainer<ToyState, ToyEvent> = {
    snapshot: async () => live,
    seconds: () => start.seconds + 1,
    isFinished: ({ step }) => step >= total,
    async update(state) {
      options.before?.(++work);
      if (signal?.aborted) return undefined;
      const step = state.step + 1;
      if (empty.includes(step)) return { state: { ...state, step }, passedOver: true };
      const random = new Random(7, "noise", step);
      const gradients = weights.map((w, i) => 2 * (w - i) + random.normal());
      adamwUpdate(weights, gradients, live.optimizer, 0.3, adam);
      return { state: { ...state, step }, event: { kind: "step", step } };
    },
    async evaluate(state) {
      const { step, evaluations, best } = state;
      if (step % evaluateEvery !== 0 || evaluations.at(-1)?.[0] === step) return undefined;
      options.before?.(++work);
      if (signal?.aborted) return undefined;
      const loss = weights.reduce((sum, w, i) => sum + (w - i) ** 2, 0);
      const isBest = evaluations.every(([, other]) => loss < other);
      return {
        state: { ...state, evaluations: [...evaluations, [step, loss]], best: isBest ? { step } : best },
        event: { kind: "evaluation", step },
      };
    },
    isCheckpointDue: ({ step }) => step % checkpointEvery === 0,
    checkpointEvent: (step) => ({ kind: "checkpoint", step }),
  };
  return { live, run: runTraining(trainer, { start, checkpoints, signal, savesWhenLeft }) };
}
