// An objective alone: its loss as a graph of states, targets, labels and its own parameters, all of them inputs, with numbers
// that PyTorch makes again from the same formula (make_objectives.py).
import { countFeeds, countFrames, lossFrames } from "../../../src/distill/objectives/frames.ts";
import type { Objective } from "../../../src/distill/objectives/objective.ts";
import { input, type Value } from "../../../src/graph/value.ts";
import { BATCH } from "../../../src/models/trace.ts";
import { type Tensor, tabulate } from "../../graph/reference.ts";

const ITEMS = 2;
const FRAMES = 5;
/** Widths of student and teacher, and channels of the last convolution. */
export const WIDTH = { student: 3, teacher: 4, conv: 2 } as const;
const LAYERS = 3;
const VALID = [5, 3];
const MASK = [0, 1, 1, 0, 0, 1, 0, 1, 0, 0];
const UNITS = [2, 0, -1, 1, 1, 3, 2, 1, -1, -1];

/** Number i of an array with this key: nothing random, so that it is written down anywhere. */
export const valueAt = (key: number, i: number): number => Math.sin(1 + 1.7 * key + 0.9 * i + 0.13 * key * i);

export interface TracedObjective {
  readonly loss: Value;
  readonly terms: ReadonlyMap<string, Value>;
  /** What the loss depends on, by name. */
  readonly inputs: ReadonlyMap<string, Value>;
  readonly feeds: ReadonlyMap<string, Tensor>;
  readonly sizes: ReadonlyMap<string, number>;
}

interface Settings {
  readonly padded: boolean;
  readonly masked: boolean;
  readonly countPaddedFrames?: boolean;
}

/** Traces an objective on two items, the second shorter where padded. */
export function traceObjective(objective: Objective, settings: Settings): TracedObjective {
  const { padded, masked, countPaddedFrames = false } = settings;
  const inputs = new Map<string, Value>();
  const feeds = new Map<string, Tensor>();
  let key = 0;
  const state = (name: string, ...shape: readonly number[]): Value => {
    const own = key++;
    let i = 0;
    feeds.set(
      name,
      tabulate(shape, () => valueAt(own, i++)),
    );
    const value = input(name, shape[0] === ITEMS && shape.length === 3 ? [BATCH, ...shape.slice(1)] : shape);
    inputs.set(name, value);
    return value;
  };
  const layers = Array.from({ length: LAYERS }, (_, i) => state(`layer.${i}`, ITEMS, FRAMES, WIDTH.student));
  const encoderInput = state("encoderInput", ITEMS, FRAMES, WIDTH.student);
  const heads = layers.map((_, i) => state(`head.${i}`, ITEMS, FRAMES, WIDTH.teacher));
  const conv = state("conv", ITEMS, FRAMES, WIDTH.conv);
  const targets = objective.targets.map((_, k) => state(`target.${k}`, ITEMS, FRAMES, WIDTH.teacher));
  const own = new Map(objective.parameters.map(({ name, shape }) => [name, state(name, ...shape)]));
  const marks = (name: string, at: (item: number, frame: number) => number) => {
    feeds.set(
      name,
      tabulate([ITEMS, FRAMES, 1], ([item, frame]) => at(item, frame)),
    );
    return input(name, [BATCH, FRAMES, 1]);
  };
  const valid = padded ? marks("valid", (item, frame) => (frame < VALID[item] ? 1 : 0)) : null;
  const mask = masked ? marks("mask", (item, frame) => MASK[item * FRAMES + frame]) : null;
  const units = objective.readsUnits ? input("units", [BATCH, FRAMES], "int64") : null;
  feeds.set(
    "units",
    tabulate([ITEMS, FRAMES], ([item, frame]) => UNITS[item * FRAMES + frame]),
  );
  const labels = {
    mask: masked ? Uint8Array.from(MASK) : undefined,
    units: units ? BigInt64Array.from(UNITS, BigInt) : undefined,
  };
  const counts = countFrames({ frames: FRAMES, valid: padded ? VALID : [FRAMES, FRAMES] }, labels, countPaddedFrames);
  for (const [name, data] of Object.entries(countFeeds(counts)))
    feeds.set(name, { shape: [], data: Float64Array.from(data) });
  const last = layers[LAYERS - 1];
  const { loss, values } = objective.build({
    features: { conv, normed: conv, projected: encoderInput },
    encoded: { posConv: encoderInput, encoderInput, layers, maps: new Map(), heads, last },
    targets,
    units,
    frames: lossFrames(encoderInput, { masked: mask, valid }, countPaddedFrames),
    parameter: (name) => own.get(name) as Value,
  });
  const terms = new Map(objective.terms.map(({ name }, i) => [name, values[i]]));
  return { loss, terms, inputs, feeds, sizes: new Map([["batch", ITEMS]]) };
}
