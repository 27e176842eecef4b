// Made-up tasks with hidden states in memory: small problems that heads learn in a moment.

import { floatsToHalves } from "../../src/checkpoint/formats/dtypes.ts";
import { Random } from "../../src/random.ts";
import type { FeatureBatch, FeatureItem, FeatureSource } from "../../src/superb/features/features.types.ts";
import type { HeadConfig } from "../../src/superb/heads/config.ts";
import type { TaskUtterance } from "../../src/superb/labels/utterance.types.ts";
import type { ObjectiveSpec } from "../../src/superb/objectives/spec.ts";
import type { TaskRecipe } from "../../src/superb/recipe/defaults.ts";
import type { UtteranceStates } from "../../src/upstream/frames.ts";

export interface MemorySource extends FeatureSource {
  /** Items of every batch that was asked for. */
  readonly asked: (readonly FeatureItem[])[];
  /** Called before a batch is made, with its number from 1. */
  onBatch: (number: number) => void;
  /** Changes a batch before it is handed out. */
  change: (batch: FeatureBatch, number: number) => void;
}

/** States by id, [layers, frames, dim] each, batched as a feature cache would. */
export function memorySource(
  states: ReadonlyMap<string, UtteranceStates>,
  { layers, dim, dtype = "float32" }: { layers: number; dim: number; dtype?: "float16" | "float32" },
): MemorySource {
  const of = (id: string) => {
    const found = states.get(id);
    if (!found) throw new Error(`no states of ${id}`);
    return found;
  };
  const asked: (readonly FeatureItem[])[] = [];
  return {
    layers: Array.from({ length: layers }, (_, i) => `layer ${i}`),
    dim,
    samplesPerFrame: 320,
    minSamples: 400,
    dtype,
    asked,
    onBatch: () => {},
    change: () => {},
    framesOf: (id) => of(id).frames,
    async batch(items) {
      asked.push(items);
      this.onBatch(asked.length);
      const frames = items.map(({ id, crop }) => crop?.frames ?? of(id).frames);
      const time = Math.max(...frames);
      const data = new Float32Array(layers * items.length * time * dim);
      for (const [item, { id, crop }] of items.entries()) {
        const { frames: whole, data: own } = of(id);
        const start = crop?.startFrame ?? 0;
        if (start < 0 || start + frames[item] > whole) throw new Error(`a crop of ${id} ends past its ${whole} frames`);
        for (let layer = 0; layer < layers; layer++) {
          const from = (layer * whole + start) * dim;
          const to = (layer * items.length + item) * time * dim;
          data.set(own.subarray(from, from + frames[item] * dim), to);
        }
      }
      const shape = [layers, items.length, time, dim] as const;
      const batch = { data: dtype === "float16" ? floatsToHalves(data) : data, shape, frames };
      this.change(batch, asked.length);
      return batch;
    },
    close: async () => {},
  };
}

export interface MadeUp {
  readonly config: HeadConfig;
  readonly input: { readonly layers: number; readonly dim: number };
  readonly objective: ObjectiveSpec;
  readonly train: readonly TaskUtterance[];
  readonly dev: readonly TaskUtterance[];
  readonly states: ReadonlyMap<string, UtteranceStates>;
  readonly isHigherBetter: boolean;
  readonly batching: TaskRecipe["batching"];
}

const LETTERS = ["a", "b", "c", "d"];

/**
 * Two layers, the first of them noise. A frame of the second has a peak for what is being said and noise of 0.3. Phones last two
 * to four frames; an utterance with a class has its peak in a third of its frames.
 */
export function madeUp(
  kind: "frames" | "bilstm" | "utterance",
  rest: { dim?: number; train?: number; dev?: number } = {},
): MadeUp {
  const { dim = 6, train = 40, dev = 16 } = rest;
  const input = { layers: 2, dim };
  const states = new Map<string, UtteranceStates>();
  const utteranceOf = (split: string, index: number): TaskUtterance => {
    const id = `${split}-${index}`;
    const random = new Random(3, "made up", id);
    const said: number[] = [];
    if (kind !== "utterance") {
      for (let n = 2 + random.integer(4); n > 0; n--) {
        const next = random.integer(LETTERS.length - 1);
        said.push(next >= said.at(-1)! ? next + 1 : next);
      }
    } else said.push(random.integer(LETTERS.length));
    const peaks = said.flatMap((letter) => {
      if (kind !== "utterance") return Array.from({ length: 2 + random.integer(3) }, () => letter);
      return Array.from({ length: 6 + random.integer(9) }, (_, t) => (t % 3 === 0 ? letter : -1));
    });
    const frames = peaks.length;
    const data = Float32Array.from({ length: 2 * frames * dim }, () => 0.3 * random.normal());
    for (const [t, letter] of peaks.entries()) if (letter >= 0) data[(frames + t) * dim + letter] += 2;
    states.set(id, { frames, data });
    const reference = said.map((letter) => LETTERS[letter]).join(" ");
    const label = kind === "utterance" ? said : said.map((letter) => letter + 1);
    return { id, path: `/made/up/${id}.wav`, samples: frames * 320, label, reference };
  };
  const of = (split: string, count: number) => Array.from({ length: count }, (_, i) => utteranceOf(split, i));
  const utterances = { train: of("train", train), dev: of("dev", dev) };
  const common = { projection: 8, normalizeStates: false };
  if (kind === "utterance")
    return {
      ...utterances,
      config: { kind, ...common, outputs: LETTERS.length },
      input,
      objective: { kind: "classes", slots: [{ name: "letter", values: LETTERS }] },
      states,
      isHigherBetter: true,
      batching: "shuffled",
    };
  const outputs = LETTERS.length + 1;
  return {
    ...utterances,
    config:
      kind === "frames"
        ? { kind, ...common, outputs }
        : { kind, ...common, outputs, hidden: 6, lstmLayers: 2, dropout: 0.2, stack: 1 },
    input,
    objective: { kind: "ctc", text: "phones", symbols: ["<pad>", ...LETTERS], special: ["<pad>"] },
    states,
    isHigherBetter: false,
    batching: "length",
  };
}
