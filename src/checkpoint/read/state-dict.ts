// State dicts in an unpickled torch file: name -> tensor, everything else reported as ignored.
import { StillwaveError } from "../../errors.ts";
import type { CheckpointFormat, OpenCheckpoint } from "../checkpoint.types.ts";
import type { RandomAccessFile } from "../formats/file.ts";
import { brief, PickleRecord, TorchTensor } from "../formats/pickle.types.ts";
import type { StoredTensors } from "../formats/tensors.ts";
import type { TorchFile } from "../formats/torch.ts";
import { outsideModel, pickledObject } from "./outside.ts";
import { type PlanInput, planModel } from "./plan.ts";
import { bareName, withoutWrappers } from "./wrappers.ts";

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
 * A torch file whose model is the state dict under `modelKey`, or all of it without one. `match` says which model its tensors, by names without
 * wrappers, are. It is called when the model is planned, so that a checkpoint without a usable model can be inspected.
 */
export function openStateDict(
  { path, file, root }: TorchContent,
  { tensors, others }: StateDict,
  found: { format: CheckpointFormat; modelKey?: string; metadata: Record<string, unknown> },
  match: (tensors: StoredTensors) => Omit<PlanInput, "path" | "fileBytes" | "tensors">,
): OpenCheckpoint {
  const { format, modelKey, metadata } = found;
  return {
    path,
    format,
    tensors,
    metadata,
    plan() {
      const bare = withoutWrappers(tensors, path);
      const plan = planModel({ path, fileBytes: file.size, tensors: bare, ...match(bare) });
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

/** Where trainers put a model's weights among the rest of their state; averages of them may lie beside. */
const TRAINER_KEYS = ["state_dict", "model_state_dict", "module", "model"] as const;

/**
 * The weights in a torch file that config.json lies beside: all of it, or what a trainer saved under `key` with names
 * of Hugging Face's. A key that no trainer here is known by counts where it is the only one. `weights` is the whole
 * where there are none.
 */
export function folderWeights(root: unknown): { readonly weights: unknown; readonly key?: string } {
  if (isStateDict(root) || !(root instanceof Map)) return { weights: root };
  const models = [...root].flatMap(([key, inner]) =>
    typeof key === "string" && isStateDict(inner) && [...inner.keys()].some((name) => HUGGING_FACE.test(bareName(name)))
      ? [key]
      : [],
  );
  const key = TRAINER_KEYS.find((name) => models.includes(name)) ?? (models.length === 1 ? models[0] : undefined);
  return key === undefined ? { weights: root } : { weights: root.get(key), key };
}

/** A name that fairseq, WavLM and torchaudio spell otherwise. */
const HUGGING_FACE = /(^|\.)encoder\.pos_conv_embed\./;

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
  return { tensors, others };
}
