// A model's attention maps on real speech: how alike those of its layers are, and which reuse would lose least.
import { describeBad } from "../data/bad-files.ts";
import { closeDecodingThreads, openCorpus, planEpoch, prefetchBatches } from "../data/index.ts";
import { StillwaveError, UsageError } from "../errors.ts";
import { joined } from "../graph/array.ts";
import { layerShape, type ModelConfig, receptiveField, SAMPLE_RATE_HZ } from "../models/config.ts";
import type { Model } from "../upstream/model.ts";
import { MapDistances } from "./distances.ts";
import { bestBlocks, bestSources, lossOf, type ReusePattern } from "./patterns.ts";
import { groupLayers, linearCka, pickRows } from "./similarity.ts";

export interface MeasureOptions {
  /** Folder or manifest of speech, and which of its parts. */
  readonly path: string;
  readonly splits?: readonly string[];
  /** At most so many utterances, drawn by `seed`; default 32. */
  readonly utterances?: number;
  /** Longer ones are cropped; default 10. */
  readonly maxSeconds?: number;
  /** Frames of an utterance whose attention is compared, evenly spread; default 64. */
  readonly queries?: number;
  readonly seed?: number;
  /** Groups of layers with like states; default a third of the layers. */
  readonly groups?: number;
  readonly onProgress?: (done: number, of: number) => void;
  /** Told of speech that cannot be used. */
  readonly onNote?: (text: string) => void;
}

/** Patterns of so many computing layers. */
export interface ReuseChoice {
  readonly computing: number;
  /** A layer takes the map of the last one before it that computes. */
  readonly blocks: ReusePattern;
  /** Of any one before it; absent where there are too many layers to search. */
  readonly any?: ReusePattern;
}

export interface MapsResult {
  readonly layers: number;
  readonly heads: number;
  readonly utterances: number;
  readonly seconds: number;
  /** Frames whose attention was compared. */
  readonly queries: number;
  /** [layer, layer], 0 on the diagonal: Jensen-Shannon divergence in bits and total variation, heads matched. */
  readonly jensenShannon: readonly (readonly number[])[];
  readonly totalVariation: readonly (readonly number[])[];
  /** One for each number of computing layers, losses in bits: the sum of divergences. */
  readonly reuse: readonly ReuseChoice[];
  /** What every N-th layer computing would lose, N = 2, 3, ... */
  readonly every: readonly ReusePattern[];
  /** [layer, layer]: linear CKA of the layers' outputs. */
  readonly cka: readonly (readonly number[])[];
  /** Of layers whose outputs are alike. */
  readonly groups: readonly (readonly number[])[];
}

/** Frames for CKA: their products with each other are held. */
const MOST_STATES = 512;

/** @throws UsageError where layers have unlike heads, StillwaveError where there is no speech */
export async function measureMaps(model: Model, options: MeasureOptions): Promise<MapsResult> {
  const { utterances: most = 32, maxSeconds = 10, queries: each = 64, seed = 0, onProgress, onNote } = options;
  const { config } = model;
  checkHeads(config);
  const corpus = await openCorpus(
    { path: options.path, splits: options.splits },
    { onBadFile: "skip", minSamples: receptiveField(config.conv) },
  );
  for (const file of corpus.badFiles) onNote?.(`left out: ${describeBad(file)}`);
  if (corpus.utterances.length === 0) throw new StillwaveError(`${options.path}: no utterances`);
  const sizes = { batchSize: 1, maxSeconds, seed, epoch: 0 };
  const plan = planEpoch(corpus, { ...sizes, shuffle: true }).slice(0, most);
  const distances = new MapDistances(config.layers, config.heads);
  const states: Float32Array[][] = Array.from({ length: config.layers }, () => []);
  let [done, samples, queries] = [0, 0, 0];
  try {
    for await (const { batch, bad } of prefetchBatches(plan, { onBadFile: "skip" })) {
      for (const file of bad) onNote?.(`left out: ${describeBad(file)}`);
      if (batch.samples.length === 0) continue;
      const { maps, layers, validFrames } = await model.extract(batch.wave, { maps: true });
      const rows = spread(validFrames[0], each);
      const own = config.attentionFrom.map((source) => {
        const map = maps.get(source);
        if (!map) throw new StillwaveError(`layer ${source}: the model gives no map of it`);
        return map;
      });
      distances.add(own, rows);
      const picked = spread(validFrames[0], Math.ceil(MOST_STATES / plan.length));
      for (const [i, layer] of layers.entries()) states[i].push(pickRows(layer, picked));
      samples += batch.samples[0];
      queries += rows.length;
      done++;
      onProgress?.(done, plan.length);
    }
  } finally {
    await closeDecodingThreads();
  }
  if (done === 0) throw new StillwaveError(`${options.path}: none of its files can be used`);
  const cka = linearCka(states.map((parts) => ({ data: joined(parts), dim: config.dim })));
  const groups = groupLayers(cka, options.groups ?? Math.ceil(config.layers / 3));
  const { layers, heads } = config;
  return {
    layers,
    heads,
    utterances: done,
    seconds: samples / SAMPLE_RATE_HZ,
    queries,
    ...reuseOf(distances),
    cka,
    groups,
  };
}

/** What the distances come to. */
function reuseOf(distances: MapDistances): Pick<MapsResult, "jensenShannon" | "totalVariation" | "reuse" | "every"> {
  const { layers } = distances;
  const own = [...Array(layers).keys()];
  const pairs = own.map((later) => own.slice(0, later).map((earlier) => distances.between(later, earlier)));
  const square = (of: "jensenShannon" | "totalVariation") =>
    own.map((a) => own.map((b) => (a === b ? 0 : pairs[Math.max(a, b)][Math.min(a, b)][of])));
  const loss = (later: number, earlier: number) => pairs[later][earlier].jensenShannon;
  const any = bestSources(layers, loss);
  const every = own.slice(2).map((n) => own.map((layer) => layer - (layer % n)));
  return {
    jensenShannon: square("jensenShannon"),
    totalVariation: square("totalVariation"),
    reuse: bestBlocks(layers, loss).map((blocks, i) => ({ computing: i + 1, blocks, any: any?.[i] })),
    every: every.map((attentionFrom) => ({ attentionFrom, loss: lossOf(attentionFrom, loss) })),
  };
}

/** At most `most` of `count` frames, evenly spread. */
function spread(count: number, most: number): number[] {
  const size = Math.min(count, most);
  return Array.from({ length: size }, (_, i) => Math.floor(((i + 0.5) * count) / size));
}

function checkHeads(config: ModelConfig): void {
  for (let layer = 0; layer < config.layers; layer++) {
    const { heads } = layerShape(config, layer);
    if (heads !== config.heads)
      throw new UsageError(
        `layer ${layer} has ${heads} heads and others ${config.heads}: maps of pruned models do not compare`,
      );
  }
  if (config.layers < 2) throw new UsageError("a model of one layer has no maps to compare");
}
