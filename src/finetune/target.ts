// What can be recognised, and the task of the benchmark that reads its corpora and scores it.
import { asr } from "../superb/tasks/asr.ts";
import { er } from "../superb/tasks/er.ts";
import { ic } from "../superb/tasks/ic.ts";
import type { TaskName } from "../superb/tasks/index.ts";
import { ks } from "../superb/tasks/ks.ts";
import { pr } from "../superb/tasks/pr.ts";
import { sf } from "../superb/tasks/sf.ts";
import { sid } from "../superb/tasks/sid.ts";
import type { Task } from "../superb/tasks/task.types.ts";
import { words } from "./words.ts";

interface Target {
  readonly task: TaskName;
  /** How its corpora are read and scored; the task's own, but for words. */
  readonly reading: Task;
}

export const TARGETS = {
  phones: { task: "pr", reading: pr },
  letters: { task: "asr", reading: asr },
  words: { task: "asr", reading: words },
  slots: { task: "sf", reading: sf },
  classes: { task: "ks", reading: ks },
  intents: { task: "ic", reading: ic },
  speakers: { task: "sid", reading: sid },
  emotions: { task: "er", reading: er },
} as const satisfies Readonly<Record<string, Target>>;

export type TargetName = keyof typeof TARGETS;

export const targetNamed = (name: TargetName): Target => TARGETS[name];
