// Models in Node: from a file or folder of any known format, or from the hub.
import { type HubOptions, loadCheckpoint } from "../checkpoint/index.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { createModel, type Model } from "./model.ts";

let shared: Promise<Runtime> | undefined;

/** The CPU runtime that calls without one share, made when first needed. */
export function defaultRuntime(): Promise<Runtime> {
  shared ??= import("../runtime/node/index.ts").then(({ createRuntime }) => createRuntime());
  return shared;
}

/**
 * Loads a model from a folder or file of any known format, or by Hugging Face id (downloaded into the standard cache).
 * Nothing in a checkpoint is executed.
 * @throws StillwaveError naming what is wrong
 */
export async function loadUpstream(pathOrHubId: string, options: HubOptions = {}): Promise<Model> {
  return createModel(await loadCheckpoint(pathOrHubId, options), defaultRuntime);
}
