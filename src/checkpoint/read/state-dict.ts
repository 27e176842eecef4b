// State dicts in an unpickled torch file: name -> tensor, everything else reported as ignored.
import { StillwaveError } from "../../errors.ts";
import type { CheckpointFormat, OpenCheckpoint } from "../checkpoint.types.ts";
import type { RandomAccessFile } from "../formats/file.ts";
import { brief, fieldsOf, PickleGlobal, PickleRecord, TorchTensor } from "../formats/pickle.types.ts";
import type { StoredTensors } from "../formats/tensors.ts";
import type { TorchFile } from "../formats/torch.ts";
import { type PlanInput, planModel } from "./plan.ts";

/** How many tensors outside the model are listed by name. */
export const MAX_LISTED = 20_000;

/** What the top level of a torch file holds, before it is known which model it is. */
export interface TorchContent {
  readonly path: string;
  readonly file: RandomAccessFile;
  readonly torch: TorchFile;
  readonly root: Map<unknown, unknown>;
}

/** A state dict's tensors, and the names of its entries that are no tensors. */
export interface StateDict {
  readonly tensors: StoredTensors;
  readonly others: readonly string[];
}

/**
 * A torch file whose model is the state dict under `modelKey`. `match` says which model that is; it is asked when the
 * model is planned, so that a checkpoint can be inspected whose model is none.
 */
export function openStateDict(
  { path, file, root }: TorchContent,
  { tensors, others }: StateDict,
  found: { format: CheckpointFormat; modelKey: string; metadata: Record<string, unknown> },
  match: () => Omit<PlanInput, "path" | "fileBytes" | "tensors">,
): OpenCheckpoint {
  const { format, modelKey, metadata } = found;
  return {
    path,
    format,
    tensors,
    metadata,
    plan() {
      const plan = planModel({ path, fileBytes: file.size, tensors, ...match() });
      return { ...plan, ignored: [...plan.ignored, ...others, ...outsideModel(root, modelKey)] };
    },
    close: () => file.close(),
  };
}

/** Whether a value looks like a state dict: text keys, mostly tensors. */
export function isStateDict(value: unknown): value is Map<string, unknown> {
  if (!(value instanceof Map) || value.size === 0) return false;
  let tensors = 0;
  for (const [key, item] of value) {
    if (typeof key !== "string") return false;
    if (item instanceof TorchTensor) tensors++;
  }
  return tensors * 2 > value.size;
}

/** What DataParallel and DistributedDataParallel put before every name of the model that they wrap. */
const WRAPPER = "module.";
/** Nested wrappers: DistributedDataParallel around another one. */
const MAX_WRAPPERS = 2;

/** Tensors under their names in the model itself, where all of them carry the name of the wrapper that trained it. */
export function withoutWrapper(tensors: StoredTensors): StoredTensors {
  let bare = tensors;
  for (let i = 0; i < MAX_WRAPPERS; i++) {
    if (bare.size === 0 || ![...bare.keys()].every((name) => name.startsWith(WRAPPER))) break;
    bare = new Map(
      [...bare.values()].map((tensor) => {
        const name = tensor.name.slice(WRAPPER.length);
        return [name, { ...tensor, name }];
      }),
    );
  }
  return bare;
}

/** Sorts the entries of a state dict. A weight that is an unknown object is an error. */
export function stateDict(torch: TorchFile, value: unknown, path: string): StateDict {
  if (!(value instanceof Map)) throw new StillwaveError(`${path}: expected a dict of tensors`);
  const tensors: StoredTensors = new Map();
  const others: string[] = [];
  for (const [key, item] of value) {
    const name = typeof key === "string" ? key : `(${brief(key)})`;
    if (item instanceof TorchTensor) tensors.set(name, torch.tensor(name, item));
    else if (item instanceof PickleRecord && /\.(weight|bias|weight_[gv])$/.test(name))
      throw new StillwaveError(
        `${path}: weight "${name}" is a pickled ${item.type}, which is never executed; save plain tensors`,
      );
    else {
      const object = pickledObject(item);
      others.push(object ? `${name} (${object})` : name);
    }
  }
  return { tensors: others.every((name) => name.startsWith(WRAPPER)) ? withoutWrapper(tensors) : tensors, others };
}

/** Tensors anywhere in a value (optimizer state...), each with its path: named, not read. */
export function tensorPaths(value: unknown, prefix: string, limit: number): [string, TorchTensor][] {
  const found: [string, TorchTensor][] = [];
  const seen = new Set<unknown>();
  const open: [string, unknown][] = [[prefix, value]];
  while (open.length > 0 && found.length < limit) {
    const [path, item] = open.pop()!;
    if (item instanceof TorchTensor) {
      found.push([path, item]);
      continue;
    }
    if (typeof item !== "object" || item === null || seen.has(item)) continue;
    seen.add(item);
    const inner: [string, unknown][] = [];
    if (item instanceof Map)
      for (const [key, child] of item) inner.push([path ? `${path}.${brief(key)}` : brief(key), child]);
    else if (Array.isArray(item)) for (const [i, child] of item.entries()) inner.push([`${path}.${i}`, child]);
    else if (item instanceof PickleRecord) inner.push([path, item.state]);
    for (const pair of inner.reverse()) open.push(pair);
  }
  return found;
}

/** Top-level entries that describe models: objects with fields there were read as plain settings. */
const SETTINGS_KEYS: ReadonlySet<unknown> = new Set([
  "cfg",
  "args",
  "config",
  "hyper_parameters",
  "model_cfg",
  "task_cfg",
]);

/** What else is in the file beside the model: tensors, and objects that Python would build by running code. */
function outsideModel(root: Map<unknown, unknown>, modelKey: string): string[] {
  const found: string[] = [];
  for (const [key, value] of root) {
    if (key === modelKey || found.length >= MAX_LISTED) continue;
    const object = SETTINGS_KEYS.has(key) && fieldsOf(value) ? undefined : pickledObject(value);
    if (object) found.push(`${brief(key)} (${object})`);
    for (const [name] of tensorPaths(value, brief(key), MAX_LISTED - found.length)) found.push(name);
  }
  return found;
}

/** `a pickled posix.system, never executed` for values that are no plain data; undefined for others. */
function pickledObject(value: unknown): string | undefined {
  const name = value instanceof PickleRecord ? value.type : value instanceof PickleGlobal ? value.path : undefined;
  return name === undefined ? undefined : `a pickled ${name.slice(0, 100)}, never executed`;
}
