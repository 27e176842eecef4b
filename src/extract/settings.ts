// What an extraction is asked for, checked, and what the content of its files depends on.
import { createHash } from "node:crypto";
import type { OnBadFile } from "../data/index.ts";
import { UsageError, unknownName } from "../errors.ts";
import type { ModelWeights } from "../models/parameters.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { mixesUtterances } from "../upstream/batches.ts";
import { fingerprintOf } from "../upstream/fingerprint.ts";
import { chooseStates, type NumberChoice, type State } from "../upstream/states.ts";
import {
  isLong,
  usualWindowSeconds,
  type WindowOptions,
  type WindowSettings,
  windowSettings,
} from "../upstream/windows/plan.ts";

export interface ExtractFilesOptions {
  readonly model: ModelWeights;
  readonly runtime: Runtime;
  /** Audio files, folders, TSV or JSONL manifests. */
  readonly inputs: readonly string[];
  readonly outDir: string;
  /** One file an utterance: `npy` [layers, frames, dim], or `safetensors` with `layer.<i>` / `head.<i>` [frames, dim]. */
  readonly format?: "npy" | "safetensors";
  /** Numbers of hidden states, 0 to the number of layers, or of heads; default `all`. */
  readonly layers?: NumberChoice;
  /** Outputs of the heads instead of hidden states. */
  readonly heads?: boolean;
  readonly dtype?: "float32" | "float16";
  /** Most seconds of audio in a batch, padding included; 0: one utterance at a time. Default 60, 0 under official reuse. */
  readonly batchSeconds?: number;
  /** Statistics of an utterance over its own samples only, whatever it is batched with. */
  readonly isolate?: boolean;
  /** How recordings longer than a minute are read: windows of `window` seconds (default 720, less of large models) that share `overlap` (default 4), or whole (`off`). */
  readonly window?: WindowOptions["window"];
  readonly overlap?: WindowOptions["overlap"];
  readonly onBadFile?: OnBadFile;
  /** Start over in a folder that holds features made otherwise, and replace files that extract did not write. */
  readonly force?: boolean;
  /** Decoding threads; default 1. */
  readonly workers?: number;
  /** Stops after the batch at hand; what is written stays. */
  readonly signal?: AbortSignal;
}

/** What the content of a file depends on, as its line in the manifest says it. */
export interface Settings {
  readonly layers: readonly number[];
  readonly heads: boolean;
  readonly dtype: "float32" | "float16";
  readonly batchSeconds: number;
  readonly isolate: boolean;
  /** The last state of a pre-LN model is among them, after the final norm; folders that do not say so hold it before. */
  readonly finalNorm?: true;
  /** Of recordings that were read in windows. */
  readonly windowSeconds?: number;
  readonly overlapSeconds?: number;
  /** SHA-256 of the model's configuration and weights. */
  readonly model: string;
  /** SHA-256 of the format, the model and all of these: files with another one are made again. */
  readonly options: string;
}

/** What a run is about to make. */
export interface Intent {
  readonly format: "npy" | "safetensors";
  readonly states: readonly State[];
  readonly settings: Settings;
  /** How long recordings are read, and their settings; undefined: like others. */
  readonly windows: WindowSettings | undefined;
  readonly longSettings: Settings;
}

/** The settings of a file that holds the states of so many samples. */
export const settingsFor = ({ settings, longSettings, windows }: Intent, samples: number): Settings =>
  isLong(samples, windows) ? longSettings : settings;

/** @throws UsageError for options that make no sense, or that the model does not fit */
export function intentOf(options: ExtractFilesOptions): Intent {
  const { format = "npy", heads = false, dtype = "float32", isolate = false } = options;
  const { config } = options.model;
  if (format !== "npy" && format !== "safetensors") throw unknownName("format", String(format), ["npy", "safetensors"]);
  if (dtype !== "float32" && dtype !== "float16") throw unknownName("dtype", String(dtype), ["float32", "float16"]);
  const batchSeconds = options.batchSeconds ?? (mixesUtterances(config) ? 0 : 60);
  if (!(batchSeconds >= 0)) throw new UsageError(`batchSeconds: expected 0 or more, got ${batchSeconds}`);
  const states = [...chooseStates(config, heads ? "heads" : "hidden-states", options.layers)];
  const layers = states.sort((a, b) => a.number - b.number).map(({ number }) => number);
  const finalNorm = (config.normFirst && !heads && layers.at(-1) === config.layers) || undefined;
  const choices = { layers, heads, dtype, batchSeconds, isolate, finalNorm };
  const model = fingerprintOf(options.model);
  const windows = windowSettings(options, usualWindowSeconds(config));
  const hashed = <T extends object>(chosen: T) => {
    const text = JSON.stringify({ format, ...chosen, model });
    return { ...chosen, model, options: createHash("sha256").update(text).digest("hex") };
  };
  return { format, states, settings: hashed(choices), windows, longSettings: hashed({ ...choices, ...windows }) };
}
