// Downloads the files of a model from the hub into the cache: configuration, weights and card, of a recogniser its head, nothing else.

import { join } from "node:path";
import { downloadFile, type ListFileEntry, listFiles, modelInfo } from "@huggingface/hub";
import { StillwaveError } from "../errors.ts";
import { writeFileAtomic } from "../files.ts";
import { readToken, store } from "./hub-cache.ts";
import { isFields } from "./read/config/fields.ts";
import { exists, readJson, UPSTREAM_FOLDER, WEIGHT_NAMES } from "./read/folder.ts";

/** Questions to the hub's API give up after this long; downloads of files do not. */
const API_TIMEOUT_MS = 20_000;

/** Of a recogniser, beside its upstream. */
const HEAD_FILES = ["head/head.json", "head/model.safetensors", "README.md"];

/** `fetch` for questions to the hub's API. */
const ask: typeof fetch = (input, init) => fetch(input, { ...init, signal: AbortSignal.timeout(API_TIMEOUT_MS) });

/** Called as bytes arrive, for progress bars. */
export type OnBytes = (file: string, bytes: number, totalBytes: number) => void;

/** Downloads what is not in the folder `storage` yet. Gives the snapshot's folder. */
export async function download(
  id: string,
  revision: string,
  storage: string,
  hubUrl: string,
  onProgress: OnBytes | undefined,
): Promise<string> {
  const accessToken = await readToken();
  const access = { hubUrl, accessToken };
  const api = { ...access, fetch: ask };
  const repo = { type: "model" as const, name: id };
  const { sha } = await modelInfo({ ...api, name: id, revision, additionalFields: ["sha"] });
  if (typeof sha !== "string" || !/^[0-9a-f]{40}$/.test(sha))
    throw new StillwaveError(`${id}: ${hubUrl} names no commit`);
  const files = new Map<string, ListFileEntry>();
  for await (const file of listFiles({ ...api, repo, revision: sha, recursive: true }))
    if (file.type === "file") files.set(file.path, file);

  const snapshot = join(storage, "snapshots", sha);
  const get = async (path: string): Promise<void> => {
    if (!/^((upstream|head)\/)?\w[\w.-]*$/.test(path))
      throw new StillwaveError(`${id}: "${path}" is not the name of a file of a model`);
    const pointer = join(snapshot, path);
    if (await exists(pointer)) return;
    const entry = files.get(path);
    if (!entry) throw new StillwaveError(`${id}: the repository has no ${path}`);
    const blob = await downloadFile({ ...access, repo, path, revision: sha });
    if (!blob) throw new StillwaveError(`${id}: ${path} cannot be downloaded`);
    await store(blob, entry, storage, pointer, (bytes) => onProgress?.(path, bytes, entry.size));
  };
  const isRecogniser = !files.has("config.json") && files.has(`${UPSTREAM_FOLDER}/config.json`);
  const below = isRecogniser ? `${UPSTREAM_FOLDER}/` : "";
  await get(`${below}config.json`);
  const wanted = [`${below}preprocessor_config.json`, `${below}README.md`, ...(isRecogniser ? HEAD_FILES : [])];
  for (const path of wanted) if (files.has(path)) await get(path);
  for (const path of await weightFiles(id, files, get, { snapshot, below })) await get(path);
  if (revision !== sha) await writeFileAtomic(join(storage, "refs", revision), sha);
  return snapshot;
}

/** The weights to download: safetensors before torch files, one file before shards. */
async function weightFiles(
  id: string,
  files: ReadonlyMap<string, unknown>,
  get: (path: string) => Promise<void>,
  { snapshot, below }: { readonly snapshot: string; readonly below: string },
): Promise<string[]> {
  for (const name of WEIGHT_NAMES.map((name) => `${below}${name}`)) {
    if (files.has(name)) return [name];
    const index = `${name}.index.json`;
    if (!files.has(index)) continue;
    await get(index);
    const map = (await readJson(join(snapshot, index)))?.weight_map;
    return isFields(map) ? [...new Set(Object.values(map).map((name) => `${below}${name}`))] : [];
  }
  throw new StillwaveError(
    `${id}: the repository has neither model.safetensors nor pytorch_model.bin; files: ${[...files.keys()].slice(0, 20).join(", ")}`,
  );
}
