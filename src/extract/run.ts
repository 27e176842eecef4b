// Extracts hidden states of many utterances to files: batched by length, padded frames cut off, resumable, atomic.
import { mkdir, stat } from "node:fs/promises";
import { totalmem } from "node:os";
import { join } from "node:path";
import { SAMPLE_RATE_HZ } from "../audio/index.ts";
import { type LoadedModel, writeSafetensors } from "../checkpoint/index.ts";
import {
  type BadFile,
  closeDecodingThreads,
  type OnBadFile,
  type PlannedBatch,
  planEpoch,
  prefetchBatches,
} from "../data/index.ts";
import { StillwaveError, UsageError, unknownName } from "../errors.ts";
import { writeFileAtomic } from "../files.ts";
import type { HostArray, Parameters } from "../graph/array.ts";
import { frameCount, type ModelConfig, receptiveField } from "../models/config.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { createUpstream } from "../upstream/inference.ts";
import { chosenLayers, type LayerChoice, statesOf } from "./choice.ts";
import { fingerprintOf } from "./fingerprint.ts";
import { ExtractManifest, type ExtractRecord, optionsHash } from "./manifest.ts";
import { encodeNpy } from "./npy.ts";
import { listSources, type Source } from "./sources.ts";
import { checkTarget, type Intent } from "./target.ts";

export interface ExtractOptions {
  readonly model: Pick<LoadedModel, "config" | "parameters">;
  readonly runtime: Runtime;
  /** Audio files, folders, TSV or JSONL manifests. */
  readonly inputs: readonly string[];
  readonly outDir: string;
  /** One file an utterance: `npy` [layers, frames, dim], or `safetensors` with `layer.<i>` / `head.<i>` [frames, dim]. */
  readonly format?: "npy" | "safetensors";
  /** Default `all`. */
  readonly layers?: LayerChoice;
  /** Outputs of the heads instead of the layers. */
  readonly heads?: boolean;
  readonly dtype?: "float32" | "float16";
  /** Most seconds of audio in a batch, padding included; 0: one utterance at a time. Default 60, 0 under official reuse. */
  readonly batchSeconds?: number;
  /** Statistics of an utterance over its own samples only, whatever it is batched with. */
  readonly isolate?: boolean;
  readonly onBadFile?: OnBadFile;
  /** Start over in a folder that holds features made otherwise, and replace files that extract did not write. */
  readonly force?: boolean;
  /** Decoding threads; default 1. */
  readonly workers?: number;
  /** Stops after the batch at hand; what is written stays. */
  readonly signal?: AbortSignal;
}

export type ExtractEvent =
  | {
      readonly kind: "start";
      readonly utterances: number;
      readonly finished: number;
      readonly seconds: number;
      readonly remainingSeconds: number;
    }
  | { readonly kind: "note"; readonly text: string }
  | {
      readonly kind: "file";
      readonly record: ExtractRecord;
      readonly done: number;
      readonly total: number;
      readonly seconds: number;
    }
  | {
      readonly kind: "done" | "interrupted";
      readonly outDir: string;
      readonly written: number;
      readonly skipped: number;
      readonly badFiles: readonly BadFile[];
    };

const DEFAULT_BATCH_SECONDS = 60;
/** Attention maps of one layer, with room for a second copy, may take this share of the machine's memory. */
const MEMORY_SHARE = 0.5;

/**
 * Extracts. Utterances whose audio, model and options are unchanged since an earlier run are skipped; batches are the
 * same whether a run was interrupted or not, and so are the numbers.
 * @throws StillwaveError naming bad files (`stop`), UsageError where the folder holds features made otherwise, or files
 * in the way (unless `force`)
 */
export async function* extractRun(options: ExtractOptions): AsyncGenerator<ExtractEvent, void, undefined> {
  const { model, outDir, heads = false, onBadFile = "stop", signal } = options;
  const { config } = model;
  const settings = settingsOf(options);
  const sources = await listSources(options.inputs, { onBadFile, minSamples: receptiveField(config.conv) });
  const { fitting, tooLong } = splitByMemory(sources.utterances, config);
  if (tooLong.length > 0 && onBadFile === "stop") throw new StillwaveError(describeLong(tooLong));
  const badFiles: BadFile[] = [...sources.badFiles, ...tooLong];
  await mkdir(outDir, { recursive: true }).catch((error: NodeJS.ErrnoException) => {
    throw new StillwaveError(`${outDir}: cannot be made or is no folder (${error.code})`);
  });
  const manifest = await ExtractManifest.open(outDir);
  const fingerprint = fingerprintOf(config, model.parameters as Parameters);
  const intent: Intent = { ...settings, model: fingerprint, options: optionsHash({ ...settings, model: fingerprint }) };
  const todo = new Map<string, Source>();
  for (const source of fitting) if (!(await manifest.isFinished(source, intent.options))) todo.set(source.id, source);
  const files = [...todo.values()].map((source) => fileOf(source, settings));
  await checkTarget(outDir, manifest, intent, files, options.force ?? false);

  const plan = planBatches(fitting, settings.batchSeconds).filter(({ items }) => items.some(({ id }) => todo.has(id)));
  for (const text of notesOf(config, settings, plan, badFiles)) yield { kind: "note", text };
  const seconds = (list: Iterable<Source>) => [...list].reduce((sum, { samples }) => sum + samples, 0) / SAMPLE_RATE_HZ;
  const [utterances, finished] = [fitting.length, fitting.length - todo.size];
  yield { kind: "start", utterances, finished, seconds: seconds(fitting), remainingSeconds: seconds(todo.values()) };

  const upstream = createUpstream({ config, parameters: model.parameters as Parameters }, options.runtime);
  let written = 0;
  let doneSeconds = 0;
  try {
    const reading = { onBadFile, workers: options.workers ?? 1, signal };
    for await (const { batch, bad } of stoppable(prefetchBatches(plan, reading), signal)) {
      badFiles.push(...bad);
      for (const { path, reason } of bad) yield { kind: "note", text: `left out: ${path}: ${reason}` };
      if (batch.samples.length === 0) continue;
      const out = await upstream.extract(batch, { isolate: settings.isolate });
      for (const [item, id] of batch.ids.entries()) {
        const source = todo.get(id);
        if (!source) continue;
        const states = statesOf(config, out, item, settings.layers, heads);
        checkValues(source, states, settings);
        await manifest.claim(fileOf(source, settings));
        const record = await write(outDir, source, states, intent);
        await manifest.add(record);
        todo.delete(id);
        written++;
        doneSeconds += source.samples / SAMPLE_RATE_HZ;
        yield { kind: "file", record, done: finished + written, total: utterances, seconds: doneSeconds };
      }
    }
  } finally {
    await manifest.close();
    await upstream.dispose();
    await closeDecodingThreads();
  }
  const kind = signal?.aborted && todo.size > 0 ? "interrupted" : "done";
  yield { kind, outDir, written, skipped: finished, badFiles };
}

interface Settings {
  readonly format: "npy" | "safetensors";
  readonly layers: readonly number[];
  readonly heads: boolean;
  readonly dtype: "float32" | "float16";
  readonly batchSeconds: number;
  readonly isolate: boolean;
}

function settingsOf(options: ExtractOptions): Settings {
  const { format = "npy", heads = false, dtype = "float32", isolate = false } = options;
  const { config } = options.model;
  if (format !== "npy" && format !== "safetensors") throw unknownName("format", String(format), ["npy", "safetensors"]);
  if (dtype !== "float32" && dtype !== "float16") throw unknownName("dtype", String(dtype), ["float32", "float16"]);
  const batchSeconds = options.batchSeconds ?? (mixesUtterances(config) ? 0 : DEFAULT_BATCH_SECONDS);
  if (!(batchSeconds >= 0)) throw new UsageError(`batchSeconds: expected 0 or more, got ${batchSeconds}`);
  return { format, layers: chosenLayers(config, options.layers ?? "all", heads), heads, dtype, batchSeconds, isolate };
}

/** Under official semantics utterances of a batch see each other's maps (arXiv:2305.11685, released code). */
const mixesUtterances = (config: ModelConfig) =>
  config.reuse === "official" && config.attentionFrom.some((source, layer) => source !== layer);

function notesOf(
  config: ModelConfig,
  { isolate }: Settings,
  plan: readonly PlannedBatch[],
  badFiles: readonly BadFile[],
): string[] {
  const notes: string[] = [];
  const together = plan.some(({ items }) => items.length > 1);
  const padded = plan.some(({ items, paddedSamples }) => items.some(({ samples }) => samples < paddedSamples));
  if (badFiles.length > 0)
    notes.push(`${badFiles.length} bad files left out, first ${badFiles[0].path}: ${badFiles[0].reason}`);
  if (together && mixesUtterances(config))
    notes.push(
      "official reuse mixes the attention maps of a batch's utterances; batch-seconds 0 takes them one at a time",
    );
  if (padded && !isolate && config.convNorm === "group")
    notes.push(
      "this model's GroupNorm sees the padding of a batch, as in the original tools; isolate (or batch-seconds 0) makes results independent of the batch",
    );
  return notes;
}

/** Batches of ascending length; an utterance longer than a batch comes alone. Depends on the utterances only. */
function planBatches(utterances: readonly Source[], batchSeconds: number): PlannedBatch[] {
  const long = (source: Source) => source.samples > batchSeconds * SAMPLE_RATE_HZ;
  const together = utterances.filter((source) => !long(source));
  const order = { seed: 0, epoch: 0, shuffle: false };
  return [
    ...(together.length > 0 ? planEpoch({ utterances: together }, { ...order, batchSeconds }) : []),
    ...(together.length < utterances.length
      ? planEpoch({ utterances: utterances.filter(long) }, { ...order, batchSize: 1 })
      : []),
  ];
}

/** Attention needs memory with the square of the length: what cannot fit is a bad file, not a crash hours into a run. */
function splitByMemory(utterances: readonly Source[], config: ModelConfig) {
  const fitting: Source[] = [];
  const tooLong: BadFile[] = [];
  for (const source of utterances) {
    const frames = frameCount(config.conv, source.samples);
    const bytes = 2 * 4 * config.heads * frames * frames;
    if (bytes <= MEMORY_SHARE * totalmem()) fitting.push(source);
    else
      tooLong.push({
        path: source.path,
        reason: `${(source.samples / SAMPLE_RATE_HZ).toFixed(0)} s: its attention maps need ${(bytes / 2 ** 30).toFixed(0)} GiB; cut it first`,
      });
  }
  return { fitting, tooLong };
}

const describeLong = (files: readonly BadFile[]) =>
  `${files.length} files are too long for this machine; cut them, or go on without them (onBadFile: skip)\n` +
  files
    .slice(0, 10)
    .map(({ path, reason }) => `  ${path}: ${reason}`)
    .join("\n");

/** Ends quietly where the signal ended the reading. */
async function* stoppable<T>(
  items: AsyncIterable<T>,
  signal: AbortSignal | undefined,
): AsyncGenerator<T, void, undefined> {
  try {
    for await (const item of items) {
      if (signal?.aborted) return;
      yield item;
      if (signal?.aborted) return;
    }
  } catch (error) {
    if (!signal?.aborted || error instanceof StillwaveError) throw error;
  }
}

const fileOf = ({ id }: Source, { format }: Pick<Settings, "format">) => `${id}.${format}`;

function checkValues({ path }: Source, states: readonly HostArray[], { dtype, layers }: Settings): void {
  const limit = dtype === "float16" ? 65519 : Number.MAX_VALUE;
  for (const [i, { data }] of states.entries())
    for (const value of data)
      if (!(Math.abs(value) <= limit))
        throw new StillwaveError(
          `${path}: layer ${layers[i]} holds ${value}${Number.isFinite(value) ? ", beyond float16; extract float32" : "; the model or the audio is damaged"}`,
        );
}

async function write(
  outDir: string,
  source: Source,
  states: readonly HostArray[],
  { format, ...intent }: Intent,
): Promise<ExtractRecord> {
  const { layers, heads, dtype } = intent;
  const file = fileOf(source, { format });
  const path = join(outDir, file);
  const [frames, dim] = states[0].shape as [number, number];
  if (format === "npy") {
    const all = new Float32Array(states.length * frames * dim);
    for (const [i, { data }] of states.entries()) all.set(data, i * frames * dim);
    await writeFileAtomic(path, encodeNpy({ shape: [states.length, frames, dim], data: all }, dtype));
  } else {
    const named = states.map((state, i): [string, HostArray] => [`${heads ? "head" : "layer"}.${layers[i]}`, state]);
    await writeSafetensors(path, named, { dtype, metadata: { id: source.id, samples: String(source.samples) } });
  }
  const { id, path: audio, samples } = source;
  const { size: bytes } = await stat(path);
  const from = { bytes: source.bytes, mtimeMs: source.mtimeMs };
  return { id, path: audio, file, samples, frames, dim, bytes, source: from, ...intent };
}
