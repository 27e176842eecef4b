// Opens Hugging Face and Stillwave model folders: config.json and weights in safetensors or torch files, whole or sharded.
import { dirname, join } from "node:path";
import { StillwaveError } from "../../errors.ts";
import type { CheckpointFormat, LoadOptions, OpenCheckpoint } from "../checkpoint.types.ts";
import { RandomAccessFile } from "../formats/file.ts";
import { readSafetensors } from "../formats/safetensors.ts";
import type { StoredTensor, StoredTensors } from "../formats/tensors.ts";
import { openTorch } from "../formats/torch.ts";
import { isFields } from "./config/fields.ts";
import { noCheckpoint, readJson, sniff } from "./folder.ts";
import { planFolder } from "./huggingface-plan.ts";
import { outsideModel } from "./outside.ts";
import { folderWeights, stateDict } from "./state-dict.ts";

/** Opens the model whose weights are in `files`, with the configuration that lies beside them. */
export async function openHuggingFace(
  path: string,
  files: readonly string[],
  options: LoadOptions,
): Promise<OpenCheckpoint> {
  const folder = dirname(files[0]);
  const where = join(folder, "config.json");
  const fields = await readJson(where);
  const preprocessor = await readJson(join(folder, "preprocessor_config.json"));
  const opened = await openFiles(files);
  const foreign: CheckpointFormat = fields ? `huggingface-${opened.kind}` : "unknown";
  const format = isFields(fields?.stillwave) ? "stillwave" : foreign;
  return {
    path,
    format,
    tensors: opened.tensors,
    metadata: { ...(fields ? { config: fields } : {}), ...(preprocessor ? { preprocessor_config: preprocessor } : {}) },
    plan() {
      if (!fields) throw new StillwaveError(`${path}: weights without a config.json beside them (${where})`);
      const { tensors, others, bytes } = opened;
      const plan = planFolder({ path, where, fields, preprocessor, tensors, bytes }, options);
      return { ...plan, ignored: [...plan.ignored, ...others] };
    },
    close: opened.close,
  };
}

async function openFiles(files: readonly string[]): Promise<{
  kind: "safetensors" | "torch";
  tensors: StoredTensors;
  /** Entries that are no tensors. */
  others: readonly string[];
  bytes: number;
  close: () => Promise<void>;
}> {
  const tensors: StoredTensors = new Map();
  const closers: (() => Promise<void>)[] = [];
  const close = async () => {
    for (const closer of closers.splice(0)) await closer();
  };
  const others: string[] = [];
  let bytes = 0;
  let kind: "safetensors" | "torch" = "safetensors";
  try {
    for (const path of files) {
      const content = await sniff(path);
      if (content === "other") throw await noCheckpoint(path);
      kind = content;
      const file = content === "safetensors" ? await readSafetensors(path) : await RandomAccessFile.open(path);
      closers.push(() => file.close());
      bytes += file.size;
      const shard: StoredTensor[] = [];
      if ("tensors" in file) {
        for (const { name, dtype, shape } of file.tensors.values())
          shard.push({ name, dtype, shape, read: async () => (await file.read(name)).data });
      } else {
        const torch = await openTorch(file);
        const { weights, key } = folderWeights(torch.root);
        const state = stateDict(torch, weights, path);
        others.push(...state.others);
        if (key !== undefined && torch.root instanceof Map) others.push(...outsideModel(torch.root, key));
        shard.push(...state.tensors.values());
      }
      for (const tensor of shard) {
        const { name } = tensor;
        if (tensors.has(name)) throw new StillwaveError(`${path}: tensor "${name}" is also in another shard`);
        tensors.set(name, tensor);
      }
    }
  } catch (error) {
    await close();
    throw error;
  }
  return { kind, tensors, others, bytes, close };
}
