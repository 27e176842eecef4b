// What a distillation will take: time from multiply-accumulates and this machine's matrix rate, memory from the sizes of activations.
import type { ModelConfig } from "../../models/config.ts";
import { profile } from "../../models/profile.ts";

/**
 * What training with its validations reaches of the rate of large products, on the CPU: measured with a student of 0.7 M parameters
 * (docs/tutorial.md), in processor time, so that other work on the machine is left out.
 */
const SHARE_OF_RATE = 0.35;
/** Backward passes compute two products for each of the forward pass. */
const PASSES_OF_TRAINING = 3;
/** With the whole utterance and with masked frames; the features are computed once. */
const PASSES_OF_TEACHER = 2;
/** A student's layer keeps so many activations as wide as the model, and so many as wide as its FFN. */
const KEPT = { wide: 12, ffn: 3, conv: 2 } as const;
/** Code, engine and decoding of a process that holds no model. */
const PROCESS_BYTES = 300e6;

export interface Cost {
  /** Floating point operations for a second of audio. */
  readonly flopsPerSecond: number;
  /** At the most, in bytes. */
  readonly memory: number;
}

/** The cost of training `student` on micro-batches of `batchSeconds` of audio in utterances of `utteranceSeconds`. */
export function costOf(
  { student, teacher }: { readonly student: ModelConfig; readonly teacher: ModelConfig },
  { batchSeconds, utteranceSeconds }: { readonly batchSeconds: number; readonly utteranceSeconds: number },
): Cost {
  const own = profile(student, { seconds: utteranceSeconds });
  const its = profile(teacher, { seconds: utteranceSeconds });
  const frontEnd = its.macs.featureExtractor + its.macs.featureProjection;
  const macs = PASSES_OF_TRAINING * own.macs.total + frontEnd + PASSES_OF_TEACHER * (its.macs.withoutHeads - frontEnd);
  const weights = 4 * (its.parameters.total + 4 * own.parameters.total);
  const utterances = Math.max(1, batchSeconds / utteranceSeconds);
  const activations = utterances * Math.max(activationsOf(student, own), PASSES_OF_TEACHER * largestOf(teacher, its));
  return { flopsPerSecond: (2 * macs) / utteranceSeconds, memory: PROCESS_BYTES + weights + 4 * activations };
}

type Profile = ReturnType<typeof profile>;

/** Numbers that the backward pass reads again. */
function activationsOf(
  { conv, layers, dim, ffnDim, heads, attentionFrom }: ModelConfig,
  { samples, frames }: Profile,
): number {
  const maps = attentionFrom.filter((from, layer) => from === layer).length * heads * frames ** 2;
  const wide = layers * frames * (KEPT.wide * dim + KEPT.ffn * ffnDim);
  return KEPT.conv * convActivations(conv, samples) + 2 * maps + wide;
}

/** Numbers of a forward pass that are alive at a time: two layers of convolutions, or of the encoder. */
function largestOf({ conv, dim, ffnDim, heads, layers }: ModelConfig, { samples, frames }: Profile): number {
  const [first] = conv;
  const inConv = 2 * (samples / first.stride) * first.channels;
  const states = layers * frames * dim;
  return Math.max(inConv, states + frames * (4 * dim + ffnDim) + 2 * heads * frames ** 2);
}

function convActivations(conv: ModelConfig["conv"], samples: number): number {
  let length = samples;
  let sum = 0;
  for (const { channels, stride } of conv) {
    length /= stride;
    sum += length * channels;
  }
  return sum;
}

/** Seconds of audio that are trained on in a second, on a device whose products reach `gflops`. */
export const audioRate = ({ flopsPerSecond }: Cost, gflops: number): number =>
  (SHARE_OF_RATE * gflops * 1e9) / flopsPerSecond;

/** `1h`, `90m`, `2d` in seconds; undefined for other text. */
export function secondsOf(text: string): number | undefined {
  const [, value, unit] = /^(\d+(?:\.\d+)?) ?([mhd])$/.exec(text.trim()) ?? [];
  const seconds = Number(value) * { m: 60, h: 3600, d: 86_400 }[unit as "m" | "h" | "d"];
  return seconds > 0 ? seconds : undefined;
}
