// What a torch file holds beside its model: named for reports, never read or executed.
import { brief, fieldsOf, PickleGlobal, PickleRecord, TorchTensor } from "../formats/pickle.types.ts";

/** How many tensors outside the model are listed by name. */
export const MAX_LISTED = 20_000;

/** Tensors anywhere in a value (optimizer state...), each with its path: named, not read. */
export function tensorPaths(value: unknown, prefix: string, limit: number): [string, TorchTensor][] {
  const found: [string, TorchTensor][] = [];
  const seen = new Set<unknown>();
  const open: [string, unknown][] = [[prefix, value]];
  while (open.length > 0 && found.length < limit) {
    const [path, item] = open.pop() ?? ["", undefined];
    if (item instanceof TorchTensor) {
      found.push([path, item]);
      continue;
    }
    if (typeof item !== "object" || item === null || seen.has(item)) continue;
    seen.add(item);
    if (item instanceof PickleRecord) open.push([path, item.state]);
    const children = item instanceof Map || Array.isArray(item) ? [...item.entries()] : [];
    for (const [key, child] of children.reverse()) open.push([path ? `${path}.${brief(key)}` : brief(key), child]);
  }
  return found;
}

/** Top-level entries that describe models: objects with fields there were read as plain settings. */
const SETTINGS_KEYS: readonly unknown[] = ["cfg", "args", "config", "hyper_parameters", "model_cfg", "task_cfg"];

/** What else is in the file beside the model (all of it where there is no key): tensors, and objects that Python would build by running code. */
export function outsideModel(root: Map<unknown, unknown>, modelKey: string | undefined): string[] {
  const found: string[] = [];
  if (modelKey === undefined) return found;
  for (const [key, value] of root) {
    if (key === modelKey || found.length >= MAX_LISTED) continue;
    const object = SETTINGS_KEYS.includes(key) && fieldsOf(value) ? undefined : pickledObject(value);
    if (object) found.push(`${brief(key)} (${object})`);
    for (const [name] of tensorPaths(value, brief(key), MAX_LISTED - found.length)) found.push(name);
  }
  return found;
}

/** `a pickled posix.system, never executed` for values that are no plain data; undefined for others. */
export function pickledObject(value: unknown): string | undefined {
  const name = value instanceof PickleRecord ? value.type : value instanceof PickleGlobal ? value.path : undefined;
  return name === undefined ? undefined : `a pickled ${name.slice(0, 100)}, never executed`;
}
