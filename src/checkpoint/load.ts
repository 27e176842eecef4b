// Loads a model from any known checkpoint. Its content decides what it is, not its name.
import { stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { StillwaveError } from "../errors.ts";
import type { LoadedModel, LoadOptions, OpenCheckpoint } from "./checkpoint.types.ts";
import { RandomAccessFile } from "./formats/file.ts";
import { openTorch } from "./formats/torch.ts";
import { exists, findLoneCheckpoint, findWeights, modelFolder, noCheckpoint, sniff } from "./read/folder.ts";
import { openHuggingFace } from "./read/huggingface.ts";
import { readPlan } from "./read/plan.ts";
import { folderWeights, isStateDict } from "./read/state-dict.ts";
import { openTorchModel } from "./read/torch-model.ts";

/** Opens a checkpoint without reading tensors. Close it when done. */
export async function openCheckpoint(path: string, options: LoadOptions = {}): Promise<OpenCheckpoint> {
  const info = await stat(path).catch((error: NodeJS.ErrnoException) => {
    throw new StillwaveError(
      `${path}: ${error.code === "ENOENT" ? "no such file or folder" : `cannot be opened (${error.code})`}`,
    );
  });
  if (info.isDirectory()) {
    const own = await modelFolder(path);
    if (own !== path) return openCheckpoint(own, options);
    if (!(await exists(join(path, "config.json")))) return openTorchModel(await findLoneCheckpoint(path), options);
    const files = await findWeights(path);
    if (files) return openHuggingFace(path, files, options);
    throw new StillwaveError(`${path}: config.json without weights (model.safetensors or pytorch_model.bin)`);
  }
  const content = await sniff(path);
  if (content === "other") throw await noCheckpoint(path);
  const bare =
    content === "torch" && (await exists(join(dirname(path), "config.json"))) && (await holdsFolderWeights(path));
  return content === "safetensors" || bare ? openHuggingFace(path, [path], options) : openTorchModel(path, options);
}

/** Whether a torch file holds weights for the config.json beside it: a state dict, or a trainer's state with one. */
async function holdsFolderWeights(path: string): Promise<boolean> {
  const file = await RandomAccessFile.open(path);
  try {
    return isStateDict(folderWeights((await openTorch(file)).root).weights);
  } finally {
    await file.close();
  }
}

/**
 * Loads a model from a folder or file of any known format: Hugging Face and Stillwave folders, fairseq,
 * s3prl-converted, original WavLM, Lightning and DPHuBERT checkpoints. Nothing in the file is executed.
 * @throws StillwaveError naming what is wrong
 */
export async function loadModel(path: string, options: LoadOptions = {}): Promise<LoadedModel> {
  const checkpoint = await openCheckpoint(path, options);
  try {
    return await readPlan(checkpoint.path, checkpoint.format, checkpoint.plan());
  } finally {
    await checkpoint.close();
  }
}
