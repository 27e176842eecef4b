// Converts a checkpoint of any known format into a model folder, or into the files of the released distillation code.
import { rmdir } from "node:fs/promises";
import { basename } from "node:path";
import { unknownName } from "../errors.ts";
import { diskError } from "../files.ts";
import { sizeOf } from "../graph/array.ts";
import type { ModelConfig } from "../models/config.ts";
import { parameterSpecs } from "../models/parameters.ts";
import type { ModelInfo } from "./checkpoint.types.ts";
import { type HubOptions, loadCheckpoint } from "./hub.ts";
import { openCheckpoint } from "./load.ts";
import { readCard } from "./read/card.ts";
import { isFields } from "./read/config/fields.ts";
import { convertedCard } from "./write/card.ts";
import { licenseOf } from "./write/front-matter.ts";
import { writeLightning } from "./write/lightning-writer.ts";
import { modelFiles, writeModelFolder } from "./write/model-folder.ts";
import { checkSource, openTarget } from "./write/target.ts";

const CONVERT_FORMATS = ["huggingface", "lightning"] as const;
export type ConvertFormat = (typeof CONVERT_FORMATS)[number];

export interface ConvertOptions extends HubOptions {
  /** `huggingface` (default): config.json and model.safetensors; `lightning`: .ckpt and YAML of the released code. */
  readonly format?: ConvertFormat;
  /** How weights are stored; float32 unless given. float16 refuses weights beyond 65504. */
  readonly dtype?: "float32" | "float16";
  /** Write into a folder that holds files already. */
  readonly force?: boolean;
}

export interface Conversion {
  readonly source: ModelInfo;
  readonly folder: string;
  readonly format: ConvertFormat;
  readonly dtype: "float32" | "float16";
  /** Names of the files written. */
  readonly files: readonly string[];
  readonly config: ModelConfig;
  readonly parameters: number;
  /** What the user must know about the result. */
  readonly warnings: readonly string[];
}

/**
 * Reads `source` (path or Hugging Face id) and writes the model into `folder`; what was written is read back and
 * compared, number by number. Nothing is written where the source is bad, or where the folder holds files (unless
 * `force`).
 * @throws StillwaveError naming what is wrong
 */
export async function convertCheckpoint(
  source: string,
  folder: string,
  options: ConvertOptions = {},
): Promise<Conversion> {
  const { format = "huggingface", dtype = "float32", force = false, ...loading } = options;
  if (!CONVERT_FORMATS.includes(format)) throw unknownName("format", String(format), CONVERT_FORMATS);
  if (dtype !== "float32" && dtype !== "float16") throw unknownName("dtype", String(dtype), ["float32", "float16"]);
  const made = await openTarget(folder, force);
  try {
    return await convert(source, folder, format, dtype, loading);
  } catch (error) {
    if (made) await rmdir(folder).catch(() => {});
    throw diskError(error, folder);
  }
}

async function convert(
  source: string,
  folder: string,
  format: ConvertFormat,
  dtype: "float32" | "float16",
  loading: HubOptions,
): Promise<Conversion> {
  const { config, parameters, info } = await loadCheckpoint(source, loading);
  await checkSource(info.path, folder);
  const warnings: string[] = [];
  let files: string[];
  if (format === "lightning") {
    const written = await writeLightning(folder, { config, parameters, dtype });
    files = [written.checkpoint, written.settings].map((path) => basename(path));
    if (written.upstream === "armhubert" && config.reuse === "exact") warnings.push(SOFTMAX_TWICE);
  } else {
    const { extra, settings } = await recordedIn(info);
    const { file, text: beside, problem } = await readCard(info.path);
    const own = info.format === "stillwave" ? beside : undefined;
    if (problem && info.format === "stillwave")
      warnings.push(`${file}: ${problem}; the new card is without its content`);
    const license = await licenseOf(info);
    const card = convertedCard(config, { source, info, dtype, settings, card: own, license });
    await writeModelFolder(folder, { config, parameters, dtype, card, extra });
    files = modelFiles(config);
  }
  const count = parameterSpecs(config).reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  return { source: info, folder, format, dtype, files, config, parameters: count, warnings };
}

const SOFTMAX_TWICE =
  "this student reuses attention maps exactly, as in the paper; the released code applies softmax to a reused map again " +
  "and, in batches, mixes the maps of utterances: there its hidden states differ from those here";

/**
 * What goes along beside the weights: what our own model folders record with the configuration (hidden states,
 * distillation), and the settings of a Lightning checkpoint's student.
 */
async function recordedIn(info: ModelInfo): Promise<{ extra: Record<string, unknown>; settings?: unknown }> {
  const { format, path, part } = info;
  const extra = { converted: { format, part } };
  const student = format === "lightning" && part !== "teacher";
  if (format !== "stillwave" && !student) return { extra };
  const checkpoint = await openCheckpoint(path);
  try {
    if (student) return { extra, settings: checkpoint.metadata.settings };
    const fields = checkpoint.metadata.config;
    const section = isFields(fields) && isFields(fields.stillwave) ? fields.stillwave : {};
    const { model: _, format: __, ...own } = section;
    return { extra: own };
  } finally {
    await checkpoint.close();
  }
}
