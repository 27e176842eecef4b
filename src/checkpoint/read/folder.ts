// Finds the files of a model in a folder: configuration, weights (one file or shards), and lone torch checkpoints.
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { StillwaveError } from "../../errors.ts";
import { RandomAccessFile } from "../formats/file.ts";
import { looksLikeSafetensors } from "../formats/safetensors-header.ts";
import { looksLikeTorch } from "../formats/torch.ts";
import { type Fields, isFields } from "./config/fields.ts";

const MAX_JSON_BYTES = 4 * 2 ** 20;

export async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}

/** A JSON file whose top level is an object; undefined where there is no such file. */
export async function readJson(path: string): Promise<Fields | undefined> {
  const info = await stat(path).catch(() => undefined);
  if (!info) return undefined;
  if (!info.isFile()) throw new StillwaveError(`${path}: not a regular file`);
  if (info.size > MAX_JSON_BYTES)
    throw new StillwaveError(`${path}: not a JSON file of at most ${MAX_JSON_BYTES} bytes`);
  let value: unknown;
  try {
    value = JSON.parse(await readFile(path, "utf8"));
  } catch (error) {
    throw new StillwaveError(`${path}: not valid JSON: ${(error as Error).message}`);
  }
  if (!isFields(value)) throw new StillwaveError(`${path}: expected a JSON object`);
  return value;
}

/** Where the model of a recogniser lies, beside its `head/`. */
export const UPSTREAM_FOLDER = "upstream";

/** The folder with a model's configuration: of a recogniser, which is an upstream and its head side by side, the upstream's. */
export async function modelFolder(folder: string): Promise<string> {
  const own = join(folder, UPSTREAM_FOLDER);
  const isRecogniser = !(await exists(join(folder, "config.json"))) && (await exists(join(own, "config.json")));
  return isRecogniser ? own : folder;
}

async function startOf(path: string, bytes: number): Promise<{ start: Uint8Array; size: number }> {
  const file = await RandomAccessFile.open(path);
  try {
    return { start: await file.read(0, Math.min(file.size, bytes), "the start of the file"), size: file.size };
  } finally {
    await file.close();
  }
}

/** What a file is, by its first bytes. */
export async function sniff(path: string): Promise<"safetensors" | "torch" | "other"> {
  const { start, size } = await startOf(path, 16);
  if (looksLikeTorch(start)) return "torch";
  return looksLikeSafetensors(start, size) ? "safetensors" : "other";
}

/** The error for a file whose content is `other`: what it is, where that can be told from its first bytes. */
export async function noCheckpoint(path: string): Promise<StillwaveError> {
  const { start } = await startOf(path, 512);
  return new StillwaveError(`${path}: neither a safetensors file nor a torch checkpoint; ${whatElse(path, start)}`);
}

function whatElse(path: string, start: Uint8Array): string {
  const text = new TextDecoder("latin1").decode(start);
  if (start.length === 0) return "it is empty; download or copy it again";
  if (text.startsWith("version https://git-lfs.github.com/spec/"))
    return "it is a Git LFS pointer, which only names the real file; fetch that with `git lfs pull`, or download it";
  if (/^(\u00ef\u00bb\u00bf)?\s*(<!--.*?-->\s*)?<(!doctype html|html|head)\b/is.test(text))
    return "it is an HTML page, such as a download that was refused leaves behind; download the file itself";
  if (looksLikeOnnx(start) || (/\.onnx$/i.test(path) && start[0] === 0x08))
    return "it is an ONNX graph, which is made from models and is not read back; give the checkpoint or model folder it was exported from";
  return "it is truncated, corrupt or something else";
}

/** A protobuf message that starts with a small ir_version (field 1), then one of ModelProto's other fields. */
function looksLikeOnnx(start: Uint8Array): boolean {
  const [tag, version, next] = start;
  const fields = [0x12, 0x1a, 0x22, 0x28, 0x32, 0x3a, 0x42, 0x72];
  return tag === 0x08 && version >= 1 && version <= 64 && fields.includes(next);
}

/** Names of the weights in a Hugging Face style folder, the better format first; `<name>.index.json` lists their shards. */
export const WEIGHT_NAMES = ["model.safetensors", "pytorch_model.bin"] as const;

/** Paths of the weight files of a Hugging Face style folder, shards in their index's order; undefined where there are none. */
export async function findWeights(folder: string): Promise<string[] | undefined> {
  for (const single of WEIGHT_NAMES) {
    if (await exists(join(folder, single))) return [join(folder, single)];
    const index = `${single}.index.json`;
    const shards = await readJson(join(folder, index));
    if (shards) return shardPaths(folder, index, shards);
  }
  const variants = (await readdir(folder)).filter((name) => /^model\.\w+\.safetensors$/.test(name)).sort();
  if (variants.length > 1)
    throw new StillwaveError(`${folder}: several weight files (${variants.join(", ")}); give the path of one`);
  return variants.length === 1 ? [join(folder, variants[0])] : undefined;
}

function shardPaths(folder: string, index: string, fields: Fields): string[] {
  const names = isFields(fields.weight_map) ? [...new Set(Object.values(fields.weight_map))] : [];
  if (names.length === 0 || names.length > 1024)
    throw new StillwaveError(`${join(folder, index)}: weight_map must name 1 to 1024 files`);
  return names.map((name) => {
    if (typeof name !== "string" || !/^[\w.-]+$/.test(name) || name.startsWith(".."))
      throw new StillwaveError(`${join(folder, index)}: "${String(name)}" is not a file name in this folder`);
    return join(folder, name);
  });
}

/** The one torch checkpoint in a folder without config.json. */
export async function findLoneCheckpoint(folder: string): Promise<string> {
  const found: string[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (!entry.isFile() || /\.(safetensors|json|txt|ya?ml|md)$/i.test(entry.name)) continue;
    if ((await sniff(join(folder, entry.name))) === "torch") found.push(entry.name);
  }
  if (found.length === 1) return join(folder, found[0]);
  throw new StillwaveError(
    found.length === 0
      ? `${folder}: no model here: neither config.json with weights nor a torch checkpoint`
      : `${folder}: several checkpoints (${found.sort().join(", ")}); give the path of one`,
  );
}
