// A distillation by several processes: what they have in common, where they begin, and the part of those that write nothing.
import { InternalError } from "../errors.ts";
import { bytesOf } from "../graph/array.ts";
import type { ProcessGroup } from "../processes/group.ts";
import { AgreedStop } from "../processes/stop.ts";
import { digestOf } from "../processes/together.ts";
import { runTraining } from "../training/loop.ts";
import type { EndEvent, TrainingEvent, UnitsEvent } from "./events.ts";
import { tellingLabels } from "./learner/labels.ts";
import type { Learner } from "./learner/learner.ts";
import { distillPlan } from "./plan.ts";
import type { Prepare, PreparedRun } from "./prepare.ts";
import type { Recipe } from "./recipe/schema.ts";
import type { RunRecipe } from "./record.ts";
import type { RunState } from "./state.ts";
import { StudentTrainer } from "./train.ts";

/** What must be the same in all processes of a run: paths and devices need not. */
export function aboutRun({ data, run, ...recipe }: Recipe): string {
  const { train: _t, validation: _v, workers: _w, keepDecoded: _k, ...reading } = data;
  const { outDir: _o, device: _d, threads: _n, ...running } = run;
  return `recipe ${digestOf({ ...recipe, teacher: undefined, secondTeacher: undefined, reading, running })}`;
}

/** Gives all processes the state, weights and moments of process 0. Resolves to the state. */
export async function beginTogether(group: ProcessGroup, learner: Learner, start?: RunState): Promise<RunState> {
  const { parameters, optimizer, lossScaling } = learner.state;
  const first = await group.sayFirst("start", start && { start, updates: optimizer.t });
  if (!first) throw new InternalError("process 0 began without a state");
  const weights = [...parameters.values()].map(({ data }) => data);
  for (const [i, array] of [...weights, optimizer.m, optimizer.v, ...(lossScaling ? [lossScaling] : [])].entries())
    await group.copyFirst(`state ${i}`, bytesOf(array));
  optimizer.t = first.updates;
  if (group.rank > 0) await learner.restored();
  return first.start;
}

export interface TakePartOptions<R extends RunRecipe> {
  readonly recipe: R;
  readonly prepare: Prepare<R>;
  readonly outDir: string;
  readonly group: ProcessGroup;
  readonly signal?: AbortSignal;
}

/** Learns as process 0 does, which alone writes, and ends as it says. */
export async function* takePart<R extends RunRecipe>(
  { recipe, prepare, outDir, group, signal }: TakePartOptions<R>,
  note: (text: string) => void,
): AsyncGenerator<UnitsEvent | TrainingEvent | EndEvent, void, undefined> {
  const already = await group.sayFirst<EndEvent | null>("opened");
  if (already) {
    yield already;
    return;
  }
  let prepared: PreparedRun<R> | undefined;
  let trainer: StudentTrainer | undefined;
  try {
    prepared = await prepare(recipe, { outDir, note, group });
    const { learner, speech, makeLabels, augment } = prepared;
    // process 0 says whether to stop before there are labels
    const labels = yield* tellingLabels(makeLabels, undefined);
    if (!labels) {
      yield await group.sayFirst<EndEvent>("end");
      return;
    }
    const start = await beginTogether(group, learner);
    const plan = distillPlan(recipe, speech.train.batchesPerEpoch);
    const stop = new AgreedStop(signal, group);
    trainer = new StudentTrainer({ plan, learner, start, speech, labels, augment, writeRow: () => {}, stop });
    yield* runTraining(trainer, { start, checkpoints: null, signal: stop.signal, savesWhenLeft: false });
    yield await group.sayFirst<EndEvent>("end");
  } finally {
    await trainer?.close();
    await prepared?.dispose();
  }
}
