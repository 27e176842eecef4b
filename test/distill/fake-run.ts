// A distillation without an engine, for the tests of the training loop: a tiny linear model on synthetic waves, with
// gradients by hand, whose loss depends on the mask and on a dropout stream.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { Batch } from "../../src/data/batch.ts";
import type { ModelFacts } from "../../src/distill/card.ts";
import type { DistillEvent } from "../../src/distill/events.ts";
import { createHostLearner } from "../../src/distill/learner/host.ts";
import type { StepLosses } from "../../src/distill/losses.ts";
import { spanMaskRule } from "../../src/distill/masks.ts";
import { countFrames } from "../../src/distill/objectives/frames.ts";
import { type LayersOptions, layersObjective } from "../../src/distill/objectives/layers.ts";
import type { Prepare } from "../../src/distill/prepare.ts";
import { parseRecipe } from "../../src/distill/recipe/read.ts";
import type { Recipe } from "../../src/distill/recipe/schema.ts";
import { type DistillRunOptions, distillRun } from "../../src/distill/run.ts";
import type { RunSpeech } from "../../src/distill/speech.ts";
import type { DistillStep } from "../../src/distill/step.ts";
import type { HostArray, Parameters } from "../../src/graph/array.ts";
import { readMetrics } from "../../src/log/index.ts";
import type { TrainRow } from "../../src/log/metrics.types.ts";
import { Random } from "../../src/random.ts";

const features = 5;
const samplesPerFrame = 320;

const fakeFrames = (samples: number): number => Math.floor(samples / samplesPerFrame);

/** A small valid recipe; `run` and `optimizer` lines may be replaced by `set`. */
export function fakeRecipe(outDir: string, set: readonly string[] = []): Recipe {
  const text = `
teacher: nowhere
student: { layers: 2, dim: 24, ffnDim: 32, heads: 2, posConv: { groups: 2 } }
data: { train: { path: nowhere }, validation: { path: nowhere }, batchSize: 2 }
optimizer: { accumulate: 3, peakLr: 0.05, weightDecay: 0.01 }
run:
  epochs: 4
  outDir: ${JSON.stringify(outDir)}
  validateEverySteps: 3
  checkpointEverySteps: 2
  logEverySteps: 1
`;
  return parseRecipe(text, "fake.yaml", set);
}

/** y = w * x + b per frame against a fixed linear target; dropout zeroes features, masked frames weigh double. */
export function fakeStep(loss: LayersOptions = { kind: "mse", hintWeight: 0.1, lastWeight: 1 }): DistillStep {
  const weights = Float32Array.from({ length: features + 1 }, (_, i) => Math.sin(i));
  const gradients = new Float32Array(features + 1);
  const view = (from: number, to: number): HostArray => ({ shape: [to - from], data: weights.subarray(from, to) });
  const parameters: Parameters = new Map([
    ["layer.weight", view(0, features)],
    ["layer.bias", view(features, features + 1)],
  ]);
  const target = (x: readonly number[]) => x.reduce((sum, value, i) => sum + value * (i - 1.5), 0.25);

  const forward = (
    batch: Batch,
    mask: Uint8Array | undefined,
    scale: number,
    random: Random | undefined,
  ): StepLosses => {
    const frames = fakeFrames(batch.paddedSamples);
    const valid = batch.samples.map(fakeFrames);
    const total = valid.reduce((sum, n) => sum + n, 0);
    const loss = [0, 0];
    valid.forEach((count, item) => {
      for (let frame = 0; frame < count; frame++) {
        const at = item * batch.paddedSamples + frame * samplesPerFrame;
        const x = Array.from({ length: features }, (_, i) => batch.wave[at + i * 7]);
        const kept = x.map((value) => (random ? (random.uniform() < 0.9 ? value / 0.9 : 0) : value));
        const masked = mask?.[item * frames + frame] === 1;
        const weight = masked ? 2 : 1;
        const y = kept.reduce((sum, value, i) => sum + value * weights[i], weights[features]);
        const error = y - target(x);
        loss[masked ? 0 : 1] += (weight * error * error) / total;
        if (scale === 0) continue;
        const slope = (scale * weight * 2 * error) / total;
        kept.forEach((value, i) => {
          gradients[i] += slope * value;
        });
        gradients[features] += slope;
      }
    });
    const [masked, unmasked] = loss as [number, number];
    return {
      total: masked + unmasked,
      terms: { "layers.masked": [masked], "layers.unmasked": [unmasked] },
      counts: countFrames({ frames, valid }, { mask }, false),
    };
  };
  return {
    objectives: [layersObjective(loss, [{ teacher: 0, layers: [0], pass: "mixed", dim: 1 }])],
    parameters,
    weights,
    gradients,
    zeroGradients: () => void gradients.fill(0),
    accumulate: async ({ batch, mask, dropoutSeed }, scale) =>
      forward(batch, mask, scale, new Random(dropoutSeed, "dropout")),
    validate: async (batch) => forward(batch, undefined, 0, undefined),
    framesOf: ({ samples, paddedSamples }) => ({ frames: fakeFrames(paddedSamples), valid: samples.map(fakeFrames) }),
    dispose: async () => {},
  };
}

/** A batch of noise, the same for the same key. */
export function fakeBatch(key: string | number, lengths: readonly number[]): Batch {
  const random = new Random(5, "wave", key);
  const paddedSamples = Math.max(0, ...lengths);
  const wave = new Float32Array(paddedSamples * lengths.length);
  lengths.forEach((samples, item) => {
    for (let i = 0; i < samples; i++) wave[item * paddedSamples + i] = random.normal();
  });
  const ids = lengths.map((_, i) => `${key}-${i}`);
  return { wave, paddedSamples, samples: [...lengths], ids, paths: ids.map((id) => `/speech/${id}.flac`) };
}

export interface FakeOptions {
  readonly batches?: number;
  readonly validation?: readonly Batch[] | null;
  readonly fingerprint?: string;
  readonly teacher?: string;
  /** What run.precision: auto is. */
  readonly best?: "float32" | "bf16";
  /** Wraps the step, to make it fail or wait. */
  readonly wrap?: (step: DistillStep) => DistillStep;
  /** Replaces the batch of an epoch and index. */
  readonly batch?: (epoch: number, index: number) => Batch;
  readonly written?: (folder: string, parameters: Parameters, facts: ModelFacts) => void;
}

const record = (fingerprint: string) => ({ fingerprint, utterances: 14, seconds: 60, badFiles: 0 });

/** Batches in an order drawn per epoch, two validation batches of unequal length. */
function fakeSpeech(options: FakeOptions = {}): RunSpeech {
  const count = options.batches ?? 7;
  const batchOf = (epoch: number, index: number): Batch => {
    if (options.batch) return options.batch(epoch, index);
    const order = new Random(1, "order", epoch).shuffle(Array.from({ length: count }, (_, i) => i));
    const which = order[index];
    return fakeBatch(which, [320 * (30 + which), 320 * (24 + which)]);
  };
  const validation =
    options.validation === undefined ? [fakeBatch("v0", [9600, 6400]), fakeBatch("v1", [16000])] : options.validation;
  return {
    train: {
      batchesPerEpoch: count,
      async *batches(epoch, from) {
        for (let index = from; index < count; index++) yield batchOf(epoch, index);
      },
    },
    validation: validation && {
      utterances: validation.reduce((sum, batch) => sum + batch.samples.length, 0),
      async *batches() {
        yield* validation;
      },
    },
    records: {
      train: record(options.fingerprint ?? "train"),
      validation: validation && record("validation"),
    },
    close: async () => {},
  };
}

export function fakePrepare(options: FakeOptions = {}): Prepare {
  return async ({ loss, masking, optimizer, run }) => ({
    learner: createHostLearner((options.wrap ?? ((step: DistillStep) => step))(fakeStep(loss)), optimizer),
    speech: fakeSpeech(options),
    runtime: { device: "cpu", version: "fake" },
    makeLabels: async () => ({ masks: spanMaskRule(masking) }),
    precision: run.precision === "auto" ? (options.best ?? "float32") : run.precision,
    teacher: { source: options.teacher ?? "fake" },
    writeModel: async (folder, parameters, facts) => options.written?.(folder, parameters, facts),
    dispose: async () => {},
  });
}

export interface Extra extends Omit<Partial<DistillRunOptions>, "prepare"> {
  readonly fake?: FakeOptions;
  readonly set?: readonly string[];
}

/** A run of the fake recipe into `outDir`. */
export function start(outDir: string, { fake = {}, set = [], ...options }: Extra = {}) {
  const events = () => distillRun({ recipe: fakeRecipe(outDir, set), prepare: fakePrepare(fake), ...options });
  return {
    [Symbol.asyncIterator]: events,
    /** Updates only. */
    async *steps() {
      for await (const event of events()) if (event.kind === "step") yield event;
    },
  };
}

export async function events(run: AsyncIterable<DistillEvent>): Promise<DistillEvent[]> {
  const all: DistillEvent[] = [];
  for await (const event of run) all.push(event);
  return all;
}

export const doneOf = (all: readonly DistillEvent[]) => {
  const last = all[all.length - 1];
  if (last.kind !== "done") throw new Error(`the run ended with ${last.kind}`);
  return last;
};

export const notesOf = (all: readonly DistillEvent[]) =>
  all.flatMap((event) => (event.kind === "note" ? [event.text] : []));
/** Names of the checkpoints. */
export const steps = (outDir: string) => readdirSync(join(outDir, "checkpoints")).sort();

/** Metrics without the fields that tell time and memory. */
export async function timeless(outDir: string) {
  return (await readMetrics(join(outDir, "metrics.jsonl"))).map((row) => {
    const {
      seconds: _,
      stepSeconds: _s,
      audioSecondsPerSecond: _a,
      waitShare: _w,
      rssBytes: _r,
      ...rest
    } = row as TrainRow;
    return rest;
  });
}

/** A step whose `accumulate` calls `act` with the number of the call, from 1, before it works. */
export const acting =
  (act: (call: number) => void) =>
  (step: DistillStep): DistillStep => {
    let call = 0;
    return {
      ...step,
      accumulate: (...args) => {
        act(++call);
        return step.accumulate(...args);
      },
    };
  };
