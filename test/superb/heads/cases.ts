// Small heads of every kind with padded batches of made-up states, for the tests of their numbers.
import { floatsToHalves, halfToFloat } from "../../../src/checkpoint/formats/dtypes.ts";
import type { Parameters } from "../../../src/graph/array.ts";
import { Random } from "../../../src/random.ts";
import type { FeatureBatch } from "../../../src/superb/features/features.types.ts";
import type { HeadConfig, HeadInput } from "../../../src/superb/heads/config.ts";
import { FEATURIZER, initHead } from "../../../src/superb/heads/parameters.ts";
import type { SpecAugmentPlan } from "../../../src/superb/heads/specaugment.ts";
import type { ObjectiveSpec } from "../../../src/superb/objectives/spec.ts";

export interface HeadCase {
  readonly name: string;
  readonly config: HeadConfig;
  readonly input: HeadInput;
  readonly parameters: Parameters;
  readonly batch: FeatureBatch;
  readonly objective: ObjectiveSpec;
  readonly labels: readonly (readonly number[])[];
  readonly plans?: readonly SpecAugmentPlan[];
  readonly dropoutSeed: number;
}

/** Half-precision numbers, so that float16 states are the same numbers. */
function halfNormal(random: Random): number {
  return Math.round(random.normal() * 64) / 64;
}

/** [layers, items, longest, dim], zeros past each item's frames. */
function madeUpBatch({ layers, dim }: HeadInput, frames: readonly number[], seed: number): FeatureBatch {
  const time = Math.max(...frames);
  const data = new Float32Array(layers * frames.length * time * dim);
  for (let layer = 0; layer < layers; layer++)
    for (const [item, count] of frames.entries()) {
      const random = new Random(seed, "states", layer, item);
      const from = (layer * frames.length + item) * time * dim;
      for (let i = 0; i < count * dim; i++) data[from + i] = halfNormal(random);
    }
  return { data, shape: [layers, frames.length, time, dim], frames };
}

/** The same numbers as bit patterns of halves. */
export function asHalves({ data, ...batch }: FeatureBatch): FeatureBatch {
  const halves = floatsToHalves(data as Float32Array);
  for (let i = 0; i < data.length; i++)
    if (halfToFloat(halves[i]) !== data[i]) throw new Error(`${data[i]} is not a half`);
  return { ...batch, data: halves };
}

/** Fresh weights, made larger and with layers that count unequally. */
export function madeUpParameters(config: HeadConfig, input: HeadInput, seed: number): Parameters {
  const parameters = initHead(config, input, seed);
  const random = new Random(seed, "featurizer");
  for (const [name, { data }] of parameters)
    for (let i = 0; i < data.length; i++) data[i] = name === FEATURIZER ? random.normal() : data[i] * 2;
  return parameters;
}

const letters = (count: number) => Array.from({ length: count }, (_, i) => String.fromCharCode(97 + i));
const ctc = (outputs: number): ObjectiveSpec => ({
  kind: "ctc",
  text: "phones",
  symbols: ["<pad>", ...letters(outputs - 1)],
  special: ["<pad>"],
});
const slots = (...sizes: number[]): ObjectiveSpec => ({
  kind: "classes",
  slots: sizes.map((size, i) => ({ name: `slot ${i}`, values: letters(size) })),
});

const plan = (frames: number, dim: number, rest: Partial<SpecAugmentPlan>): SpecAugmentPlan => ({
  frames,
  dim,
  featureMasks: [],
  timeMasks: [],
  ...rest,
});

const input: HeadInput = { layers: 3, dim: 6 };
const common = { projection: 5, normalizeStates: false };
const lstm = { kind: "bilstm", ...common, hidden: 3, lstmLayers: 2, dropout: 0.2, stack: 1, outputs: 5 } as const;

type Given = Omit<HeadCase, "input" | "parameters" | "batch" | "dropoutSeed"> & { readonly frames: readonly number[] };
const made = ({ frames, ...given }: Given, seed: number): HeadCase => ({
  ...given,
  input,
  parameters: madeUpParameters(given.config, input, seed),
  batch: madeUpBatch(input, frames, seed),
  dropoutSeed: 1000 + seed,
});

/** Lengths of a batch differ in all of them; in one of CTC's an utterance is too short for its label. */
export const headCases: readonly HeadCase[] = [
  {
    name: "frames, CTC",
    config: { kind: "frames", ...common, outputs: 6 },
    frames: [9, 7, 2],
    objective: ctc(6),
    labels: [
      [1, 2, 2, 5],
      [3, 4],
      [1, 1],
    ],
  },
  {
    name: "frames, CTC, normalised states",
    config: { kind: "frames", ...common, outputs: 6, normalizeStates: true },
    frames: [6, 8],
    objective: ctc(6),
    labels: [
      [1, 5],
      [2, 3, 4],
    ],
  },
  {
    name: "bilstm, CTC, dropout",
    config: lstm,
    frames: [9, 5],
    objective: ctc(5),
    labels: [
      [1, 2, 2],
      [4, 3],
    ],
  },
  {
    name: "bilstm, CTC, dropout, two frames read as one",
    config: { ...lstm, stack: 2, dropout: 0.5 },
    frames: [8, 11, 5, 1],
    objective: ctc(5),
    labels: [[1, 2, 1], [4, 4, 3], [2], [1]],
  },
  {
    name: "bilstm, CTC, normalised states, dropout, SpecAugment",
    config: { ...lstm, normalizeStates: true },
    frames: [13, 12, 4],
    objective: ctc(5),
    labels: [[1, 2, 3, 4], [2, 2], [3]],
    plans: [
      plan(13, 6, { warp: { from: 6, to: 9 }, timeMasks: [{ start: 3, width: 2 }] }),
      plan(12, 6, {
        warp: { from: 6, to: 5 },
        featureMasks: [
          { start: 1, width: 2 },
          { start: 5, width: 1 },
        ],
      }),
      plan(4, 6, { timeMasks: [{ start: 0, width: 1 }], featureMasks: [{ start: 0, width: 1 }] }),
    ],
  },
  {
    name: "bilstm, CTC, two frames read as one, SpecAugment",
    config: { ...lstm, stack: 2, dropout: 0 },
    frames: [13, 6],
    objective: ctc(5),
    labels: [[1, 2], [3]],
    plans: [
      plan(13, 6, { warp: { from: 5, to: 3 }, timeMasks: [{ start: 11, width: 2 }] }),
      plan(6, 6, { featureMasks: [{ start: 2, width: 3 }] }),
    ],
  },
  {
    name: "lstm forward in time, CTC",
    config: { kind: "lstm", normalizeStates: false, hidden: 3, lstmLayers: 1, outputs: 5 },
    frames: [9, 5],
    objective: ctc(5),
    labels: [
      [1, 2, 2],
      [4, 3],
    ],
  },
  {
    name: "xvector, cross entropy",
    config: { kind: "xvector", ...common, hidden: 4, aggregation: 7, outputs: 3 },
    frames: [19, 24, 16],
    objective: slots(3),
    labels: [[0], [2], [1]],
  },
  {
    name: "utterance, cross entropy",
    config: { kind: "utterance", ...common, outputs: 4 },
    frames: [3, 8, 1],
    objective: slots(4),
    labels: [[0], [3], [2]],
  },
  {
    name: "utterance, cross entropies of three slots, normalised states",
    config: { kind: "utterance", ...common, outputs: 9, normalizeStates: true },
    frames: [5, 7],
    objective: slots(4, 2, 3),
    labels: [
      [3, 0, 2],
      [1, 1, 0],
    ],
  },
].map((given, i) => made(given as Given, i));
