// Models from the Hugging Face hub, through the standard cache: what is cached works offline.
import { StillwaveError } from "../errors.ts";
import type { LoadedModel, LoadOptions } from "./checkpoint.types.ts";
import { cachedSnapshot, cacheFolder } from "./hub-cache.ts";
import { download, type OnBytes } from "./hub-download.ts";
import { loadModel } from "./load.ts";
import { exists } from "./read/folder.ts";

export interface HubOptions extends LoadOptions {
  /** Branch, tag or commit; `main` unless given. */
  readonly revision?: string;
  readonly onProgress?: OnBytes;
}

/** A model that is neither on this machine nor to be had from the hub. */
export class ModelUnavailableError extends StillwaveError {
  /** The hub's answer; undefined where it could not be reached, or must not be asked. */
  readonly status: number | undefined;
  constructor(message: string, status?: number) {
    super(message);
    this.status = status;
  }
}

/** Where the hub is: HF_ENDPOINT, or the public one. */
export const hubEndpoint = (): string => (process.env.HF_ENDPOINT || "https://huggingface.co").replace(/\/+$/, "");

/** Whether HF_HUB_OFFLINE forbids to ask it. */
export const isOffline = (): boolean => /^(1|true|yes|on)$/i.test(process.env.HF_HUB_OFFLINE ?? "");

const ID_PATTERN = /^[A-Za-z0-9][\w.-]*(\/[A-Za-z0-9][\w.-]*)?$/;

/** Whether text could be the id of a model on the hub. */
export const isHubId = (text: string): boolean => ID_PATTERN.test(text) && !text.includes("..") && !text.includes("--");

/**
 * Loads a model by path, or by Hugging Face id where no such path exists. Files go to the standard cache (HF_HOME,
 * HF_HUB_CACHE); HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE are honoured. A cached model loads without a network.
 */
export async function loadCheckpoint(pathOrHubId: string, options: HubOptions = {}): Promise<LoadedModel> {
  if (await exists(pathOrHubId)) return loadModel(pathOrHubId, options);
  if (!isHubId(pathOrHubId))
    throw new StillwaveError(`${pathOrHubId}: no such file or folder, and not a Hugging Face id (organisation/model)`);
  const { folder, note } = await fetchModel(pathOrHubId, options);
  const model = await loadModel(folder, options);
  return note ? { ...model, info: { ...model.info, notes: [...model.info.notes, note] } } : model;
}

/** The snapshot folder of a model, downloaded where needed. The cached one serves where there is no network. */
export async function fetchModel(id: string, options: HubOptions = {}): Promise<{ folder: string; note?: string }> {
  const revision = options.revision ?? "main";
  if (!/^[\w./-]+$/.test(revision) || revision.includes(".."))
    throw new StillwaveError(`"${revision}" is not a revision`);
  const storage = cacheFolder(id);
  const cached = await cachedSnapshot(storage, revision);
  if (cached && /^[0-9a-f]{40}$/.test(revision)) return { folder: cached };
  if (isOffline()) {
    if (cached) return { folder: cached };
    throw new ModelUnavailableError(`${id}: not in the cache (${storage}), and HF_HUB_OFFLINE forbids downloading it`);
  }
  const endpoint = hubEndpoint();
  try {
    return { folder: await download(id, revision, storage, endpoint, options.onProgress) };
  } catch (error) {
    if (error instanceof StillwaveError) throw error;
    const status = (error as { statusCode?: number }).statusCode;
    if (status === undefined && cached)
      return { folder: cached, note: `${endpoint} could not be reached: the cached snapshot ${cached} was used` };
    throw new ModelUnavailableError(`${id}: ${explain(error as Error, status, endpoint, revision)}`, status);
  }
}

function explain(error: Error, status: number | undefined, endpoint: string, revision: string): string {
  if (status === 401 || status === 403)
    return `${endpoint} refuses access: the model does not exist, is private or gated; set HF_TOKEN, or check the id`;
  if (status === 404) return `no such file or folder, and no such model (revision ${revision}) on ${endpoint}`;
  if (status !== undefined) return `${endpoint} answered ${status}: ${error.message}`;
  const cause = (error.cause as Error | undefined)?.message ?? error.message;
  return `no such file or folder, and ${endpoint} could not be reached (${cause}); give a local path, or download the model where there is a network`;
}
