// The tasks by name. A new one is a file beside these and a line here.
import { unknownName } from "../../errors.ts";
import { asr } from "./asr.ts";
import { er } from "./er.ts";
import { ic } from "./ic.ts";
import { ks } from "./ks.ts";
import { pr } from "./pr.ts";
import { sf } from "./sf.ts";
import { sid } from "./sid.ts";
import type { Task } from "./task.types.ts";

const tasks = { pr, asr, ks, sid, ic, er, sf };

export type TaskName = keyof typeof tasks;

export const TASKS: Readonly<Record<TaskName, Task>> = tasks;

/** @throws UsageError that lists the tasks there are. */
export function taskNamed(name: string): Task & { readonly name: TaskName } {
  if (!Object.hasOwn(TASKS, name)) throw unknownName("task", name, Object.keys(TASKS));
  return { ...TASKS[name as TaskName], name: name as TaskName };
}
