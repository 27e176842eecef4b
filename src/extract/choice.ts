// Which hidden states are extracted: layers by number, or heads, cut to the frames of one utterance.
import { UsageError } from "../errors.ts";
import type { HostArray } from "../graph/array.ts";
import type { ModelConfig } from "../models/config.ts";
import type { Extraction } from "../upstream/inference.ts";

/** `all`, or layer numbers: 0 is what layer 1 reads, i the output of the i-th layer (before any final norm). */
export type LayerChoice = "all" | readonly number[];

/** Parses `all` or `0,6,12`. */
export function parseLayers(text: string): LayerChoice {
  if (text.trim() === "all") return "all";
  const layers = text.split(",").map((item) => (/^\s*\d{1,4}\s*$/.test(item) ? Number(item) : Number.NaN));
  if (layers.some(Number.isNaN)) throw new UsageError(`layers: expected all or numbers such as 0,6,12, got ${text}`);
  return layers;
}

/** The layer numbers that a choice means for this model. Heads exist for layers from 1 on, where the model has them. */
export function chosenLayers(config: ModelConfig, choice: LayerChoice, heads: boolean): number[] {
  const valid = heads
    ? config.headLayers.map((layer) => layer + 1)
    : Array.from({ length: config.layers + 1 }, (_, i) => i);
  if (heads && (config.headDim === null || valid.length === 0))
    throw new UsageError("heads: the model has none; leave heads out for the outputs of its layers");
  if (choice === "all") return valid;
  if (choice.length === 0) throw new UsageError("layers: expected at least one");
  const unknown = choice.find((layer) => !valid.includes(layer));
  if (unknown !== undefined)
    throw new UsageError(`layers: no ${heads ? "head of layer" : "layer"} ${unknown}; valid: ${valid.join(", ")}`);
  const twice = choice.find((layer, i) => choice.indexOf(layer) < i);
  if (twice !== undefined) throw new UsageError(`layers: ${twice} is named twice in ${choice.join(",")}`);
  return [...choice].sort((a, b) => a - b);
}

/** The chosen states of item `item` without its padded frames, each [frames, dim]. */
export function statesOf(
  config: ModelConfig,
  out: Extraction,
  item: number,
  layers: readonly number[],
  heads: boolean,
): HostArray[] {
  const frames = out.validFrames[item];
  return layers.map((layer) => {
    const { shape, data } = heads
      ? out.heads[config.headLayers.indexOf(layer - 1)]
      : layer === 0
        ? out.encoderInput
        : out.layers[layer - 1];
    const [, time, dim] = shape as [number, number, number];
    const start = item * time * dim;
    return { shape: [frames, dim], data: data.subarray(start, start + frames * dim) };
  });
}
