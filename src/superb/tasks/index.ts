// The tasks by name. A new one is a file beside these and a line here.
import { unknownName } from "../../errors.ts";
import { asr } from "./asr.ts";
import { er } from "./er.ts";
import { ic } from "./ic.ts";
import { ks } from "./ks.ts";
import { pr } from "./pr.ts";
import { qbe } from "./qbe.ts";
import { sf } from "./sf.ts";
import { sid } from "./sid.ts";
import { asv } from "./speakers/asv.ts";
import { sd } from "./speakers/sd.ts";
import type { SearchTask, Task } from "./task.types.ts";

const tasks = { pr, asr, ks, sid, ic, er, sf, qbe, asv, sd };

export type TaskName = keyof typeof tasks;

export const TASKS: Readonly<typeof tasks> = tasks;

/** @throws UsageError that lists the tasks there are. */
export function taskNamed<Name extends TaskName>(name: Name): (typeof tasks)[Name] & { readonly name: Name };
export function taskNamed(name: string): (Task | SearchTask) & { readonly name: TaskName };
export function taskNamed(name: string): (Task | SearchTask) & { readonly name: TaskName } {
  if (!Object.hasOwn(TASKS, name)) throw unknownName("task", name, Object.keys(TASKS));
  return { ...TASKS[name as TaskName], name: name as TaskName };
}
