// State dicts in an unpickled torch file: name -> tensor, everything else reported as ignored.
import { StillwaveError } from "../../errors.ts";
import type { CheckpointFormat, OpenCheckpoint } from "../checkpoint.types.ts";
import type { RandomAccessFile } from "../formats/file.ts";
import { brief, PickleRecord, TorchTensor } from "../formats/pickle.types.ts";
import type { StoredTensors } from "../formats/tensors.ts";
import type { TorchFile } from "../formats/torch.ts";
import { outsideModel, pickledObject } from "./outside.ts";
import { type PlanInput, planModel } from "./plan.ts";

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
 * A torch file whose model is the state dict under `modelKey`. `match` says which model that is. It is called when the
 * model is planned, so that a checkpoint without a usable model can still be inspected.
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
    if (![...bare.keys()].every((name) => name.startsWith(WRAPPER))) break;
    const renamed = Array.from(bare.values(), (tensor) => ({ ...tensor, name: tensor.name.slice(WRAPPER.length) }));
    bare = new Map(renamed.map((tensor) => [tensor.name, tensor]));
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
