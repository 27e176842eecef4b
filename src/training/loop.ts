// The loop of every training: updates, evaluations and checkpoints, from wherever it stands to its end.
import { type CheckpointState, pruneCheckpoints, type TrainingState, writeCheckpoint } from "./checkpoints.ts";

/** Where a training stands after `step` updates: a value, replaced and never changed. What comes next follows from it. */
export interface LoopState extends CheckpointState {
  /** Of work, summed over resumes. */
  readonly seconds: number;
  /** The best evaluation so far. Its checkpoint is written at once, and kept. */
  readonly best: { readonly step: number } | null;
}

/** What an update or an evaluation came to. */
export interface Outcome<State, Event> {
  readonly state: State;
  /** Absent where its numbers follow: `settle` has them. */
  readonly event?: Event;
  /** An update that had nothing to learn from. It counts, but nothing is evaluated or saved after it. */
  readonly passedOver?: boolean;
}

/** What is trained, and how. */
export interface Trainer<State extends LoopState, Event> {
  /** Weights and moments after all updates that were begun, which checkpoints hold. */
  snapshot(): Promise<TrainingState>;
  /** Seconds of work up to now, summed over resumes. */
  seconds(): number;
  isFinished(state: State): boolean;
  /** Update `state.step + 1`. undefined: interrupted, nothing was changed. */
  update(state: State): Promise<Outcome<State, Event> | undefined>;
  /** Waits for updates that are under way, where an evaluation or checkpoint is due at this state or `all` is asked for. */
  settle?(state: State, all: boolean): Promise<readonly Event[]>;
  /** undefined: no evaluation is due, it has been done, or it was interrupted. */
  evaluate(state: State): Promise<Outcome<State, Event> | undefined>;
  /** Beside checkpoints of the best and at the end; `milliseconds` since the last one. */
  isCheckpointDue(state: State, milliseconds: number): boolean;
  /** Whether the checkpoint of an earlier step stays; default: only the best one. */
  keeps?(state: State, step: number): boolean;
  /** What to tell of a checkpoint, if anything. */
  checkpointEvent?(step: number, folder: string): Event;
}

export interface LoopOptions<State> {
  readonly start: State;
  /** null: another process writes them. */
  readonly checkpoints: string | null;
  /** Asks for a stop; updates and evaluations look at it too. */
  readonly signal?: AbortSignal;
  /** Write a checkpoint also where the consumer stops iterating. */
  readonly savesWhenLeft: boolean;
}

/**
 * Trains until finished or the signal; the state it returns is durable in a checkpoint. After an error none is written: the
 * last good one stays. Where all randomness follows from seeds and step numbers, a training that was interrupted or killed
 * ends with the same bits as one that was not.
 */
export async function* runTraining<State extends LoopState, Event>(
  trainer: Trainer<State, Event>,
  { start, checkpoints, signal, savesWhenLeft }: LoopOptions<State>,
): AsyncGenerator<Event, State, undefined> {
  let state = start;
  let saved: { readonly state?: State; readonly at: number } = { at: performance.now() };
  let isRunning = true;
  const current = () => ({ ...state, seconds: trainer.seconds() });
  async function* settle(all: boolean): AsyncGenerator<Event, void, undefined> {
    yield* (await trainer.settle?.(state, all)) ?? [];
  }
  async function* save(): AsyncGenerator<Event, void, undefined> {
    yield* settle(true);
    const { step, best } = state;
    if (checkpoints === null) {
      saved = { state, at: performance.now() };
      return;
    }
    const folder = await writeCheckpoint(checkpoints, current(), await trainer.snapshot());
    saved = { state, at: performance.now() };
    await pruneCheckpoints(checkpoints, step, (other) => other === best?.step || !!trainer.keeps?.(state, other));
    if (trainer.checkpointEvent) yield trainer.checkpointEvent(step, folder);
  }
  async function* evaluate(): AsyncGenerator<Event, void, undefined> {
    const evaluated = await trainer.evaluate(state);
    if (!evaluated) return;
    state = evaluated.state;
    if (evaluated.event) yield evaluated.event;
  }
  try {
    yield* evaluate();
    // it was made up for: an interruption had cut it off
    if (state !== start && state.step > 0) yield* save();
    while (!trainer.isFinished(state) && !signal?.aborted) {
      const updated = await trainer.update(state);
      if (!updated) break;
      state = updated.state;
      if (updated.event) yield updated.event;
      if (updated.passedOver) continue;
      yield* settle(false);
      yield* evaluate();
      const isDue = trainer.isCheckpointDue(state, performance.now() - saved.at);
      if (isDue || state.best?.step === state.step) yield* save();
    }
    if (saved.state !== state) yield* save();
    isRunning = false;
    return current();
  } catch (error) {
    isRunning = false;
    throw error;
  } finally {
    if (isRunning && savesWhenLeft) for await (const _ of save());
  }
}
