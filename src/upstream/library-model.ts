// A model as library users hold it: configuration, weights, and hidden states on any runtime.
import { type HubOptions, loadUpstream as loadCheckpoint, type ModelInfo } from "../checkpoint/index.ts";
import { InternalError } from "../errors.ts";
import type { HostArray, Parameters } from "../graph/array.ts";
import type { ModelConfig } from "../models/config.ts";
import type { Runtime } from "../runtime/runtime.ts";
import {
  createUpstream,
  type Extraction,
  type ExtractOptions,
  type PaddedWaveforms,
  type Upstream,
} from "./inference.ts";

export interface ModelExtraction extends Extraction {
  /** Output of every encoder layer, [batch, time, dim] (before any final norm); the same arrays as `layers`. */
  readonly hiddenStates: readonly HostArray[];
}

/** A teacher or student with its weights. */
export interface Model {
  readonly config: ModelConfig;
  /** By name, in the order of the forward pass; training changes them in place. */
  readonly parameters: Parameters;
  /** Where it was read from; absent for a fresh student. */
  readonly info?: ModelInfo;
  /**
   * Hidden states of one 16 kHz mono waveform, of several of different lengths, or of a padded batch, each [batch,
   * time, dim]. `runtime`: one from `stillwave/node` or `stillwave/web`; without it the CPU of this machine.
   * @throws UsageError for a waveform too short for one frame
   */
  extract(
    input: Float32Array | readonly Float32Array[] | PaddedWaveforms,
    options?: ExtractOptions & { readonly runtime?: Runtime },
  ): Promise<ModelExtraction>;
  /** Frees what `extract` has compiled; the model can be used again afterwards. */
  dispose(): Promise<void>;
}

let shared: Promise<Runtime> | undefined;

/** The CPU runtime that calls without one share, made when first needed. */
export function defaultRuntime(): Promise<Runtime> {
  shared ??= import("../runtime/node/index.ts").then(({ createRuntime }) => createRuntime());
  return shared;
}

/** A Model of a configuration and its weights. */
export function createModel(parts: {
  readonly config: ModelConfig;
  readonly parameters: Parameters;
  readonly info?: ModelInfo;
}): Model {
  const upstreams = new Map<Runtime, Upstream>();
  return {
    ...parts,
    async extract(input, options = {}) {
      const { runtime = await defaultRuntime(), ...rest } = options;
      const upstream = upstreams.get(runtime) ?? createUpstream(parts, runtime);
      upstreams.set(runtime, upstream);
      const extraction = await upstream.extract(input, rest);
      return { ...extraction, hiddenStates: extraction.layers };
    },
    async dispose() {
      const open = [...upstreams.values()];
      upstreams.clear();
      for (const upstream of open) await upstream.dispose();
    },
  };
}

/**
 * Loads a model from a folder or file of any known format, or by Hugging Face id (downloaded into the standard cache).
 * Nothing in a checkpoint is executed.
 * @throws StillwaveError naming what is wrong
 */
export async function loadUpstream(pathOrHubId: string, options: HubOptions = {}): Promise<Model> {
  return createModel(await loadCheckpoint(pathOrHubId, options));
}

/** Brings a model's weights to those of `source`, in place. */
export function copyWeights(target: Parameters, source: Parameters): void {
  for (const [name, { data }] of target) {
    const from = source.get(name)?.data;
    if (from?.length !== data.length) throw new InternalError(`weights of "${name}" do not fit the student`);
    data.set(from);
  }
}
