// Utterance mixing: a part of some utterances is overlaid with a part of another one of the batch, whose units are not asked for.
import type { Batch } from "../data/index.ts";
import { Random } from "../random.ts";

export interface MixingOptions {
  /** Share of the utterances that are mixed into. */
  readonly probability: number;
  /** Of an utterance, at most: below a half, so that it stays the main speaker's. */
  readonly maxShare: number;
  /** Energy of the utterance over that of the other one, in dB, from the lowest to the highest. */
  readonly ratioDb: readonly [number, number];
}

/** What addresses the randomness of a batch. */
export interface MixingKey {
  readonly seed: number;
  readonly update: number;
  readonly micro: number;
}

/**
 * The batch with some of its utterances overlaid (WavLM, arXiv:2110.13900 section III-B, with speech alone, no noise): each with
 * the given probability, by a stretch of another one, of uniform length up to the largest share, at uniform places in both, its
 * energy that of the whole utterance times 10^(-r/10), r uniform in dB. The same batch and key give the same waveform.
 */
export function mixUtterances(batch: Batch, options: MixingOptions, { seed, update, micro }: MixingKey): Batch {
  const { samples, paddedSamples } = batch;
  if (options.probability === 0 || samples.length < 2) return batch;
  const { wave } = batch;
  const mixed = wave.slice();
  for (const [item, own] of samples.entries()) {
    const random = new Random(seed, "mixing", update, micro, item);
    if (random.uniform() >= options.probability) continue;
    const other = (item + 1 + random.integer(samples.length - 1)) % samples.length;
    const longest = Math.floor(Math.min(options.maxShare * own, samples[other]));
    const length = random.integer(longest + 1);
    const [to, from] = [random.integer(own - length + 1), random.integer(samples[other] - length + 1)];
    const [lowest, highest] = options.ratioDb;
    const ratioDb = lowest + (highest - lowest) * random.uniform();
    const at = (of: number, start: number) => wave.subarray(of * paddedSamples + start, (of + 1) * paddedSamples);
    const added = at(other, from).subarray(0, length);
    const energies = [powerOf(at(item, 0).subarray(0, own)), powerOf(at(other, 0).subarray(0, samples[other]))];
    if (energies.includes(0)) continue;
    const gain = Math.sqrt((energies[0] / energies[1]) * 10 ** (-ratioDb / 10));
    const base = item * paddedSamples + to;
    for (let i = 0; i < length; i++) mixed[base + i] += gain * added[i];
  }
  const { pcm: _, wave: _w, ...facts } = batch;
  return { ...facts, wave: mixed };
}

/** Mean of squares. */
function powerOf(samples: Float32Array): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return sum / samples.length;
}
