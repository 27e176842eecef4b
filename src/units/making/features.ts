// What units are clusters of: cepstra, or the states of a layer, one vector for every frame of the model that will learn them.
import { HUBERT_MFCC, mfcc } from "../../audio/index.ts";
import {
  type Batch,
  type Corpus,
  type OnBadFile,
  type PlannedBatch,
  planEpoch,
  prefetchBatches,
} from "../../data/index.ts";
import { StillwaveError } from "../../errors.ts";
import { type ConvLayer, frameCount, receptiveField, samplesPerFrame } from "../../models/config.ts";
import { type ModelWeights, parameterSpecs } from "../../models/parameters.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import { hasGrown, memoryProblem, shapesFor } from "../../upstream/batches.ts";
import { fingerprintOf } from "../../upstream/fingerprint.ts";
import { createModel } from "../../upstream/model.ts";
import type { UtteranceFrames } from "../frames-file.ts";
import { keyOf } from "../json.ts";

export interface Features {
  /** For people. */
  readonly name: string;
  /** SHA-256 over all that the numbers depend on beside the speech. */
  readonly key: string;
  readonly dim: number;
  /** Features of the items of a batch, none of which is cropped. */
  of(batch: Batch): Promise<UtteranceFrames[]>;
  dispose(): Promise<void>;
}

/**
 * Features of a batch.
 * @throws StillwaveError that names a recording whose features are not finite
 */
export async function featuresOf(
  { name, of }: Pick<Features, "name" | "of">,
  batch: Batch,
): Promise<UtteranceFrames[]> {
  const all = await of(batch);
  const bad = all.findIndex(({ data }) => !data.every(Number.isFinite));
  if (bad >= 0)
    throw new StillwaveError(
      `${batch.paths[bad]}: its features (${name}) hold values that are not finite; look at the recording, and at the model they are of`,
    );
  return all;
}

/** Cepstra come every 10 ms, from 25 ms each. */
const MFCC_SHIFT = 160;
const MFCC_LENGTH = 400;
const MFCC_DIM = 39;
/** Seconds of audio whose features are computed at once, at least where it is not one recording. */
const BATCH_SECONDS = 60;
/** Batches that are decoded ahead. */
const AHEAD = 4;

/**
 * Cepstra of the frames that lie under those of a model with these convolutions: of frame t the ones whose 25 ms have the same
 * middle, for the published stack every second of the 10 ms frames (arXiv:2106.07447 section IV-A).
 */
export function mfccFeatures(conv: readonly ConvLayer[]): Features {
  const [step, field] = [samplesPerFrame(conv), receptiveField(conv)];
  return {
    name: "MFCC",
    key: keyOf(["mfcc", 1, HUBERT_MFCC, step, field]),
    dim: MFCC_DIM,
    async of({ ids, wave, paddedSamples, samples }) {
      return ids.map((id, item) => {
        const own = wave.subarray(item * paddedSamples, item * paddedSamples + samples[item]);
        const cepstra = mfcc(own.length < MFCC_LENGTH ? padded(own) : own, HUBERT_MFCC);
        const frames = frameCount(conv, own.length);
        const data = new Float32Array(frames * MFCC_DIM);
        for (let t = 0; t < frames; t++) {
          const nearest = Math.round((t * step + (field - MFCC_LENGTH) / 2) / MFCC_SHIFT);
          const from = Math.max(0, Math.min(cepstra.frames - 1, nearest)) * MFCC_DIM;
          data.set(cepstra.data.subarray(from, from + MFCC_DIM), t * MFCC_DIM);
        }
        return { id, data };
      });
    },
    dispose: async () => {},
  };
}

const padded = (wave: Float32Array): Float32Array => {
  const longer = new Float32Array(MFCC_LENGTH);
  longer.set(wave);
  return longer;
};

/** Outputs of layer `layer`, from 1; layers above it are not computed. */
export function layerFeatures(model: ModelWeights, layer: number, runtime: Runtime): Features {
  const lower = firstLayers(model, layer);
  const { config } = lower;
  const running = createModel(lower, runtime, runtime.compilesShapes ? undefined : hasGrown);
  const shapes = shapesFor(config, runtime);
  return {
    name: `layer ${layer}`,
    key: keyOf(["layer", 1, fingerprintOf(lower)]),
    dim: config.dim,
    async of(batch) {
      const { ids, paddedSamples, paths } = batch;
      if (ids.length === 0) return [];
      const problem = memoryProblem(config, paddedSamples, { items: ids.length });
      if (problem) throw new StillwaveError(`${paths[0]}: ${problem}`);
      const { layers, validFrames } = await running.extract(batch, { isolate: true, shapes });
      const { data, shape } = layers[layer - 1];
      const perItem = shape[1] * config.dim;
      return ids.map((id, item) => ({
        id,
        data: data.subarray(item * perItem, item * perItem + validFrames[item] * config.dim),
      }));
    },
    dispose: () => running.dispose(),
  };
}

function firstLayers({ config, parameters }: ModelWeights, layer: number): ModelWeights {
  const lower = {
    ...config,
    layers: layer,
    attentionFrom: config.attentionFrom.slice(0, layer),
    headDim: null,
    headLayers: [],
  };
  const own = parameterSpecs(lower).map(({ name, shape }) => {
    const data = parameters.get(name)?.data;
    return [name, { shape, data: data ?? new Float32Array() }] as const;
  });
  return { config: lower, parameters: new Map(own) };
}

/** How speech is read: what is done with files that cannot be decoded, threads, and a seed for what is drawn of it. */
export interface Reading {
  readonly onBadFile: OnBadFile;
  readonly workers: number;
  readonly seed: number;
}

/** Batches of whole utterances, the shortest first. */
export function planWhole(corpus: Pick<Corpus, "utterances">, { seed }: Pick<Reading, "seed">): PlannedBatch[] {
  if (corpus.utterances.length === 0) return [];
  const longest = corpus.utterances.reduce((most, { samples }) => Math.max(most, samples), 0);
  const batchSeconds = Math.max(BATCH_SECONDS, longest / 16_000);
  return planEpoch(corpus, { batchSeconds, seed, epoch: 0, shuffle: false });
}

/** The batches of such a plan from index `from` on. One has no items where none of its files can be used. */
export async function* wholeUtterances(
  plan: readonly PlannedBatch[],
  { onBadFile, workers }: Omit<Reading, "seed">,
  signal: AbortSignal,
  from = 0,
): AsyncGenerator<Batch, void, undefined> {
  for await (const { batch } of prefetchBatches(plan, { from, onBadFile, workers, ahead: AHEAD, signal })) yield batch;
}

/** Which batches a plan has. */
export const idsOf = (plan: readonly PlannedBatch[]): string[][] => plan.map(({ items }) => items.map(({ id }) => id));
