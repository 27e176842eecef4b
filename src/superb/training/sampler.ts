// Which utterances make up each training batch: a function of seed and place alone, so that training resumes anywhere.
import { SAMPLE_RATE_HZ } from "../../audio/index.ts";
import { UsageError } from "../../errors.ts";
import { Random } from "../../random.ts";
import { type Framing, framesOfSamples } from "../../upstream/frames.ts";
import type { FeatureItem } from "../features/features.types.ts";
import { inverseClassFrequency } from "../labels/classes.ts";
import type { TaskUtterance } from "../labels/utterance.types.ts";
import type { TaskRecipe } from "../recipe/defaults.ts";

export interface SampledBatch {
  readonly utterances: readonly TaskUtterance[];
  readonly items: readonly FeatureItem[];
}

export interface SamplerOptions
  extends Pick<TaskRecipe, "batching" | "batchSize" | "halveAboveSamples" | "cropSeconds"> {
  readonly seed: number;
  readonly framing: Framing;
}

/** Batches by micro-step, epoch after epoch without end. */
export class Sampler {
  readonly batchesPerEpoch: number;
  /** Batches in which every utterance comes once, on average; of windows many times fewer than in an epoch. */
  readonly batchesPerPass: number;
  private readonly utterances: readonly TaskUtterance[];
  private readonly options: SamplerOptions;
  /** By length (of labels, for windows), longest first, ties by id: the list that neighbours are taken from. */
  private readonly neighbours: readonly (readonly TaskUtterance[])[];
  private readonly cumulative: Float64Array;
  private planned: { readonly epoch: number; readonly batches: readonly (readonly TaskUtterance[])[] } | undefined;

  constructor(utterances: readonly TaskUtterance[], options: SamplerOptions) {
    const { batchSize, halveAboveSamples, batching } = options;
    if (!(Number.isInteger(batchSize) && batchSize >= 1))
      throw new UsageError(`batch: expected 1 or more, got ${batchSize}`);
    this.options = options;
    const sizeOf = ({ label, samples }: TaskUtterance) => (batching === "windows" ? label.length : samples);
    this.utterances = utterances.toSorted((a, b) => sizeOf(b) - sizeOf(a) || (a.id < b.id ? -1 : 1));
    this.neighbours = batching === "length" ? cut(this.utterances, batchSize, halveAboveSamples) : [];
    this.cumulative = batching === "balanced" ? cumulativeWeights(this.utterances) : new Float64Array(0);
    this.batchesPerPass = this.neighbours.length || Math.ceil(utterances.length / batchSize);
    this.batchesPerEpoch = batching === "windows" ? utterances.length : this.batchesPerPass;
  }

  /** Batch number `micro`, from 0. */
  at(micro: number): SampledBatch {
    const epoch = Math.floor(micro / this.batchesPerEpoch);
    if (this.planned?.epoch !== epoch) this.planned = { epoch, batches: this.plan(epoch) };
    const utterances = this.planned.batches[micro % this.batchesPerEpoch];
    return { utterances, items: utterances.map((utterance, place) => this.itemOf(utterance, micro, place)) };
  }

  private plan(epoch: number): readonly (readonly TaskUtterance[])[] {
    const { batching, batchSize, seed } = this.options;
    const random = new Random(seed, "batches", epoch);
    if (batching === "length") return random.shuffle([...this.neighbours]);
    if (batching === "windows") return random.shuffle([...this.utterances.keys()]).map((start) => this.window(start));
    if (batching === "shuffled") return cut(random.shuffle([...this.utterances]), batchSize);
    const drawn = this.utterances.map(() => this.utterances[this.draw(random)]);
    return cut(drawn, batchSize);
  }

  /** Neighbours from `start` on; the last ones begin where a whole window still fits. */
  private window(start: number): readonly TaskUtterance[] {
    const { batchSize, halveAboveSamples = Number.POSITIVE_INFINITY } = this.options;
    const from = Math.max(0, Math.min(start, this.utterances.length - batchSize));
    const window = this.utterances.slice(from, from + batchSize);
    const isLong = window[0].samples > halveAboveSamples && window.length > 1;
    return isLong ? window.slice(0, Math.floor(window.length / 2)) : window;
  }

  /** An utterance's place, drawn with the inverse of its class's frequency. */
  private draw(random: Random): number {
    const target = random.uniform() * this.cumulative.at(-1)!;
    let [low, high] = [0, this.cumulative.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.cumulative[middle] > target) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  private itemOf(utterance: TaskUtterance, micro: number, place: number): FeatureItem {
    const { cropSeconds, framing, seed } = this.options;
    const seconds = utterance.randomCropSeconds ?? cropSeconds;
    return cropped(utterance, seconds, framing, () => new Random(seed, "crop", micro, place));
  }
}

/** The whole utterance, or a random crop where it is longer than `seconds`. */
export function cropped(
  { id, samples }: Pick<TaskUtterance, "id" | "samples">,
  seconds: number | undefined,
  framing: Framing,
  random: () => Random,
): FeatureItem {
  if (seconds === undefined) return { id };
  const whole = framesOfSamples(samples, framing);
  const frames = framesOfSamples(Math.round(seconds * SAMPLE_RATE_HZ), framing);
  if (frames >= whole) return { id };
  return { id, crop: { startFrame: random().integer(whole - frames + 1), frames } };
}

function cut(list: readonly TaskUtterance[], size: number, halveAbove?: number): TaskUtterance[][] {
  const batches: TaskUtterance[][] = [];
  for (let from = 0; from < list.length; from += size) {
    const batch = list.slice(from, from + size);
    const half = Math.ceil(batch.length / 2);
    const isLong = halveAbove !== undefined && batch[0].samples > halveAbove && batch.length > 1;
    batches.push(...(isLong ? [batch.slice(0, half), batch.slice(half)] : [batch]));
  }
  return batches;
}

/** Weight of each utterance: 1 / (utterances with its answer). */
export const inverseFrequencies = (utterances: readonly Pick<TaskUtterance, "reference">[]): Float64Array =>
  inverseClassFrequency(utterances.map(({ reference }) => reference));

/** The same, summed up, to draw by. */
function cumulativeWeights(utterances: readonly TaskUtterance[]): Float64Array {
  let sum = 0;
  return inverseFrequencies(utterances).map((weight) => {
    sum += weight;
    return sum;
  });
}
