// Models from the Hugging Face hub, through the standard cache: what is cached works offline.
// @huggingface/hub answers the questions and opens the files; storing them is ours, because its downloadFileToCacheDir
// (2.17) puts damaged and short files into the cache unchecked, tells no progress and prints on stdout.
import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { copyFile, mkdir, readFile, rename, rm, symlink } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join, relative } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { downloadFile, type ListFileEntry, listFiles, modelInfo } from "@huggingface/hub";
import { StillwaveError } from "../errors.ts";
import { writeFileAtomic } from "../files.ts";
import type { LoadedModel, LoadOptions } from "./checkpoint.types.ts";
import { loadModel } from "./load.ts";
import { isFields } from "./read/fields.ts";
import { exists, findWeights, readJson, WEIGHT_NAMES } from "./read/folder.ts";

export interface HubOptions extends LoadOptions {
  /** Branch, tag or commit; `main` unless given. */
  readonly revision?: string;
  /** Called as bytes arrive, for progress bars. */
  readonly onProgress?: (file: string, bytes: number, totalBytes: number) => void;
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

/** Questions to the hub's API give up after this long; downloads of files do not. */
const API_TIMEOUT_MS = 20_000;
const ID_PATTERN = /^[A-Za-z0-9][\w.-]*(\/[A-Za-z0-9][\w.-]*)?$/;

/**
 * Loads a model by path, or by Hugging Face id where no such path exists. Files go to the standard cache (HF_HOME,
 * HF_HUB_CACHE); HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE are honoured. A cached model loads without a network.
 */
export async function loadCheckpoint(pathOrHubId: string, options: HubOptions = {}): Promise<LoadedModel> {
  if (await exists(pathOrHubId)) return loadModel(pathOrHubId, options);
  if (!ID_PATTERN.test(pathOrHubId) || pathOrHubId.includes("..") || pathOrHubId.includes("--"))
    throw new StillwaveError(`${pathOrHubId}: no such file or folder, and not a Hugging Face id (organisation/model)`);
  const { folder, note } = await fetchModel(pathOrHubId, options);
  const model = await loadModel(folder, options);
  return note ? { ...model, info: { ...model.info, notes: [...model.info.notes, note] } } : model;
}

/** A place in the folder that all of Hugging Face's programs share. */
function inHome(name: string): string {
  const { HF_HOME, XDG_CACHE_HOME } = process.env;
  return join(HF_HOME ?? join(XDG_CACHE_HOME ?? join(homedir(), ".cache"), "huggingface"), name);
}

/** Where the hub's cache keeps a repository: the layout is shared with Python's huggingface_hub. */
function cacheFolder(id: string): string {
  const { HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE } = process.env;
  const hub = HF_HUB_CACHE ?? HUGGINGFACE_HUB_CACHE ?? inHome("hub");
  return join(hub.replace(/^~(?=\/)/, homedir()), `models--${id.replaceAll("/", "--")}`);
}

async function readToken(): Promise<string | undefined> {
  const { HF_TOKEN, HF_TOKEN_PATH } = process.env;
  const saved = async () => readFile(HF_TOKEN_PATH ?? inHome("token"), "utf8").catch(() => "");
  const token = HF_TOKEN ? HF_TOKEN.trim() : (await saved()).trim() || undefined;
  if (token !== undefined && !token.startsWith("hf_"))
    throw new StillwaveError("HF_TOKEN is not a Hugging Face token (they start with hf_)");
  return token;
}

/** The snapshot folder of a model, downloaded where needed. Offline (by setting or by circumstance) the cached one serves. */
async function fetchModel(id: string, options: HubOptions): Promise<{ folder: string; note?: string }> {
  const revision = options.revision ?? "main";
  if (!/^[\w./-]+$/.test(revision) || revision.includes(".."))
    throw new StillwaveError(`"${revision}" is not a revision`);
  const storage = cacheFolder(id);
  const cached = await cachedSnapshot(storage, revision);
  if (cached && /^[0-9a-f]{40}$/.test(revision)) return { folder: cached };
  if (/^(1|true|yes|on)$/i.test(process.env.HF_HUB_OFFLINE ?? "")) {
    if (cached) return { folder: cached };
    throw new ModelUnavailableError(`${id}: not in the cache (${storage}), and HF_HUB_OFFLINE forbids downloading it`);
  }
  const endpoint = (process.env.HF_ENDPOINT ?? "https://huggingface.co").replace(/\/+$/, "");
  try {
    return { folder: await download(id, revision, storage, endpoint, options) };
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

/** A snapshot in the cache that has a configuration and all weights. */
async function cachedSnapshot(storage: string, revision: string): Promise<string | undefined> {
  const named = await readFile(join(storage, "refs", revision), "utf8").catch(() => revision);
  const folder = join(storage, "snapshots", named.trim());
  if (!(await exists(join(folder, "config.json")))) return undefined;
  for (const file of (await findWeights(folder)) ?? [""]) if (file === "" || !(await exists(file))) return undefined;
  return folder;
}

/** `fetch` for questions to the hub's API. */
const ask: typeof fetch = (input, init) => fetch(input, { ...init, signal: AbortSignal.timeout(API_TIMEOUT_MS) });

async function download(
  id: string,
  revision: string,
  storage: string,
  hubUrl: string,
  options: HubOptions,
): Promise<string> {
  const accessToken = await readToken();
  const access = { hubUrl, accessToken };
  const api = { ...access, fetch: ask };
  const repo = { type: "model" as const, name: id };
  const { sha } = await modelInfo({ ...api, name: id, revision, additionalFields: ["sha"] });
  if (typeof sha !== "string" || !/^[0-9a-f]{40}$/.test(sha))
    throw new StillwaveError(`${id}: ${hubUrl} names no commit`);
  const files = new Map<string, ListFileEntry>();
  for await (const file of listFiles({ ...api, repo, revision: sha }))
    if (file.type === "file") files.set(file.path, file);

  const snapshot = join(storage, "snapshots", sha);
  const get = async (path: string): Promise<void> => {
    if (!/^\w[\w.-]*$/.test(path))
      throw new StillwaveError(`${id}: "${path}" is not the name of a file at its top level`);
    const pointer = join(snapshot, path);
    if (await exists(pointer)) return;
    const entry = files.get(path);
    if (!entry) throw new StillwaveError(`${id}: the repository has no ${path}`);
    const blob = await downloadFile({ ...access, repo, path, revision: sha });
    if (!blob) throw new StillwaveError(`${id}: ${path} cannot be downloaded`);
    await store(blob, entry, storage, pointer, (bytes) => options.onProgress?.(path, bytes, entry.size));
  };
  await get("config.json");
  if (files.has("preprocessor_config.json")) await get("preprocessor_config.json");
  for (const path of await weightFiles(id, files, get, snapshot)) await get(path);
  if (revision !== sha) await writeFileAtomic(join(storage, "refs", revision), sha);
  return snapshot;
}

/** The weights to download: safetensors before torch files, one file before shards. */
async function weightFiles(
  id: string,
  files: ReadonlyMap<string, unknown>,
  get: (path: string) => Promise<void>,
  snapshot: string,
): Promise<string[]> {
  for (const name of WEIGHT_NAMES) {
    if (files.has(name)) return [name];
    const index = `${name}.index.json`;
    if (!files.has(index)) continue;
    await get(index);
    const map = (await readJson(join(snapshot, index)))?.weight_map;
    return isFields(map) ? [...new Set(Object.values(map).map(String))] : [];
  }
  throw new StillwaveError(
    `${id}: the repository has neither model.safetensors nor pytorch_model.bin; files: ${[...files.keys()].slice(0, 20).join(", ")}`,
  );
}

/** Writes a blob into the cache, checked against its size and, where the hub gives one, its SHA-256. */
async function store(
  blob: Blob,
  entry: ListFileEntry,
  storage: string,
  pointer: string,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const name = entry.lfs?.oid ?? entry.oid;
  if (!name || !/^[0-9a-f]{40,64}$/.test(name))
    throw new StillwaveError(`${entry.path}: the hub gives no content hash`);
  const target = join(storage, "blobs", name);
  await mkdir(dirname(target), { recursive: true });
  await mkdir(dirname(pointer), { recursive: true });
  const partial = `${target}.${process.pid}.incomplete`;
  try {
    let bytes = 0;
    const hash = createHash("sha256");
    await pipeline(
      Readable.fromWeb(blob.stream() as Parameters<typeof Readable.fromWeb>[0]),
      async function* (chunks: AsyncIterable<Uint8Array>) {
        for await (const chunk of chunks) {
          hash.update(chunk);
          bytes += chunk.byteLength;
          onBytes(bytes);
          yield chunk;
        }
      },
      createWriteStream(partial),
    );
    if (bytes !== entry.size)
      throw new StillwaveError(`${entry.path}: ${bytes} of ${entry.size} bytes arrived; try again`);
    if (entry.lfs && hash.digest("hex") !== entry.lfs.oid)
      throw new StillwaveError(`${entry.path}: what arrived is damaged (SHA-256 differs); try again`);
    await rename(partial, target);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
  await rm(pointer, { force: true });
  await symlink(relative(dirname(pointer), target), pointer).catch(() => copyFile(target, pointer));
}
