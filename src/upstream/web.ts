// Models in browsers: from the URL of a model folder, or from the two files a user chose. Imports nothing of Node's.
import type { LoadOptions } from "../checkpoint/checkpoint.types.ts";
import { DTYPE_BYTES, decodeInto } from "../checkpoint/formats/dtypes.ts";
import { type ReadBytes, readSafetensorsHeader } from "../checkpoint/formats/safetensors-header.ts";
import type { StoredTensors } from "../checkpoint/formats/tensors.ts";
import { type Fields, isFields } from "../checkpoint/read/config/fields.ts";
import { planFolder } from "../checkpoint/read/huggingface-plan.ts";
import { readPlan } from "../checkpoint/read/plan.ts";
import { StillwaveError } from "../errors.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { fetchBytes } from "../runtime/web/fetch.ts";
import { createRuntime } from "../runtime/web/index.ts";
import { createModel, type Model } from "./model.ts";

/** The files of a model folder in memory. */
export interface ModelFiles {
  /** config.json: the parsed object or its text. */
  readonly config: unknown;
  /** model.safetensors. */
  readonly safetensors: ArrayBuffer | Uint8Array;
}

let shared: Promise<Runtime> | undefined;

/** The runtime that calls without one share, on WASM. */
function defaultRuntime(): Promise<Runtime> {
  shared ??= createRuntime();
  return shared;
}

function parseFields(config: unknown, where: string): Fields {
  let value = config;
  if (typeof config === "string")
    try {
      value = JSON.parse(config);
    } catch (error) {
      throw new StillwaveError(`${where}: not JSON: ${(error as Error).message}`);
    }
  if (!isFields(value)) throw new StillwaveError(`${where}: not an object`);
  return value;
}

async function openTensors(path: string, file: Uint8Array): Promise<StoredTensors> {
  const read: ReadBytes = async (offset, length) => file.subarray(offset, offset + length);
  const { tensors } = await readSafetensorsHeader(path, file.byteLength, read);
  const opened = [...tensors.values()].map(({ offset, bytes, ...entry }) => ({
    ...entry,
    async read() {
      const data = new Float32Array(bytes / DTYPE_BYTES[entry.dtype]);
      decodeInto(data, 0, file.subarray(offset, offset + bytes), entry.dtype);
      return data;
    },
  }));
  return new Map(opened.map((tensor) => [tensor.name, tensor]));
}

/** Loads a Stillwave or Hugging Face model (HuBERT, wav2vec 2.0, WavLM, students) from its files. `path` names it in errors. */
export async function loadModelFromFiles(
  files: ModelFiles,
  options: Pick<LoadOptions, "reuse"> & { readonly path?: string } = {},
): Promise<Model> {
  const path = options.path ?? "the model";
  const where = options.path === undefined ? "config.json" : `${path}/config.json`;
  const bytes = files.safetensors instanceof Uint8Array ? files.safetensors : new Uint8Array(files.safetensors);
  const fields = parseFields(files.config, where);
  const tensors = await openTensors(path, bytes);
  const plan = planFolder({ path, where, fields, preprocessor: undefined, tensors, bytes: bytes.byteLength }, options);
  const format = isFields(fields.stillwave) ? "stillwave" : "huggingface-safetensors";
  return createModel(await readPlan(path, format, plan), defaultRuntime);
}

/**
 * Loads a model folder over HTTP: `config.json` and `model.safetensors` below `url`.
 * @throws StillwaveError naming the file and what is wrong with it
 */
export async function loadModelFromUrl(url: string | URL, options: Pick<LoadOptions, "reuse"> = {}): Promise<Model> {
  const path = String(url).replace(/\/+$/, "");
  const [config, safetensors] = await Promise.all([
    fetchBytes(`${path}/config.json`),
    fetchBytes(`${path}/model.safetensors`),
  ]);
  return loadModelFromFiles({ config: new TextDecoder().decode(config), safetensors }, { ...options, path });
}
