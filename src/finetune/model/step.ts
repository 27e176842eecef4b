// An upstream with its head that runs and trains: logits, then gradients from the loss's cotangent, made on the host in between.
import { COTANGENT, splitBackward } from "../../autodiff/cut.ts";
import { drawLayers, KEPT_LAYERS } from "../../distill/masks.ts";
import { InternalError } from "../../errors.ts";
import { type HostArray, type Parameters, resized } from "../../graph/array.ts";
import { reachableNodes, type Value } from "../../graph/value.ts";
import type { OpName } from "../../graph/vocabulary.ts";
import { looseMemory, memoryLimit } from "../../memory.ts";
import { alignedSamples, frameCount } from "../../models/config.ts";
import { flatten } from "../../models/flat.ts";
import type { DropoutRates } from "../../models/forward.ts";
import { specInputs } from "../../models/trace.ts";
import { normalizeWaveforms, type PaddedWaveforms } from "../../models/waveform.ts";
import type { LstmTraces } from "../../nn/lstm.ts";
import { type DropoutSite, fedDropout, noDropout } from "../../nn/scope.ts";
import type { Executable, Feed, Runtime } from "../../runtime/runtime.ts";
import { SessionCache } from "../../runtime/sessions.ts";
import { roundedUp } from "../../runtime/shape-ladder.ts";
import { FRAMES, headFrames, STATES } from "../../superb/heads/graph.ts";
import type { HeadOutput } from "../../superb/heads/step.ts";
import { GradientAccumulator, type GradientOutputs } from "../../training/accumulator.ts";
import { drawDropoutMasks } from "../../training/dropout-masks.ts";
import type { State } from "../../upstream/states.ts";
import type { FeatureMasks } from "../specaugment.ts";
import { CONV, FEATURE_MASK, type TrainingTrace, traceParts } from "./graph.ts";
import { isLearnt, type JointModel, jointSpecs, PARTS, type Part } from "./parameters.ts";

export interface JointStepOptions {
  readonly model: JointModel;
  /** What the head reads. */
  readonly states: readonly State[];
  /** Under their common names. */
  readonly parameters: Parameters;
  readonly rates: DropoutRates;
  /** Whether training masks frames. */
  readonly masksTime: boolean;
  readonly runtime: Runtime;
}

/** What makes a training pass differ from an evaluation. */
export interface JointPass {
  readonly dropoutSeed: number;
  /** What the front end's output is masked by; absent: nothing. */
  readonly masks?: FeatureMasks;
  /** The parts that gradients are wanted of; the others stand still. */
  readonly learning: ReadonlySet<Part>;
}

interface Compiled {
  /** Parts that stand still and come first, in one graph. */
  readonly before: Executable | undefined;
  readonly forward: Executable;
  readonly backward: Executable;
  readonly sites: readonly DropoutSite[];
  /** Outputs of `backward`. */
  readonly gradients: ReadonlySet<string>;
}

/** Memory of the process above which sessions are made anew. */
const RECYCLE_ABOVE_BYTES = Math.min(4 * 2 ** 30, memoryLimit().bytes / 2);

/** What a backward pass had better be given than compute again, where that costs no transfer. */
const DEAR: ReadonlySet<OpName> = new Set<OpName>(["gemm", "matmul", "conv1d", "softmax", "lstm"]);

/** What stands before a part, as an input of its graph. */
const BOUNDARY: Readonly<Record<Part, string>> = { frontEnd: "wave", upstream: CONV, head: STATES };

export class JointStep {
  readonly model: JointModel;
  /** Views of `weights`, by name, in the order of `jointSpecs`. */
  readonly parameters: Parameters;
  readonly weights: Float32Array;
  /** Sum over the backward passes since `zeroGradients`, in the order of the weights; zeros where nothing learns. */
  readonly gradients: Float32Array;
  /** Names of what can learn: read on the way to the logits of a training pass, and no statistics. */
  readonly learnt: ReadonlySet<string>;
  private readonly options: JointStepOptions;
  private readonly accumulator: GradientAccumulator;
  private readonly sessions: SessionCache;
  private readonly fixed: Readonly<Record<string, Feed>>;
  /** The backward pass that belongs to the last forward pass. */
  private pending: ((cotangent: Float32Array) => Promise<unknown>) | undefined;

  constructor(options: JointStepOptions) {
    const specs = jointSpecs(options.model);
    const { flat, views } = flatten(specs, options.parameters);
    this.options = options;
    this.model = options.model;
    this.weights = flat;
    this.parameters = views;
    this.fixed = Object.fromEntries(views);
    this.accumulator = new GradientAccumulator(specs);
    this.gradients = this.accumulator.flat;
    this.sessions = new SessionCache(options.runtime, () => looseMemory() >= RECYCLE_ABOVE_BYTES);
    const { values, lookup } = specInputs(specs);
    const training = { rates: options.rates, masksTime: options.masksTime, masksFeatures: false };
    const trace = { states: options.states, dropout: noDropout, lookup, training };
    const logits = traceParts(options.model, trace, "frontEnd", "head");
    this.learnt = new Set(learntOf(options.model, values, logits).keys());
  }

  zeroGradients(): void {
    this.accumulator.reset();
  }

  /** Logits in evaluation: no dropout, no masks. */
  async infer(batch: PaddedWaveforms): Promise<HeadOutput> {
    const { feeds } = this.feedsOf(batch);
    const inference = await this.sessions.get("inference", (compile) => {
      const { lookup } = specInputs(jointSpecs(this.model));
      const trace = { states: this.options.states, lookup, dropout: noDropout };
      const logits = traceParts(this.model, trace, "frontEnd", "head");
      return compile({ name: "recogniser", outputs: new Map([["logits", logits]]) });
    });
    const { logits } = await inference.run({ ...this.fixed, ...feeds });
    if (!this.pending) await this.sessions.used();
    return this.outputOf(batch, logits);
  }

  /** Logits of a training pass, whose gradients `backward` adds next. */
  async forward(batch: PaddedWaveforms, pass: JointPass): Promise<HeadOutput> {
    const compiled = await this.trainingSessions(pass);
    const { feeds, sizes } = this.feedsOf(batch);
    const { layers } = this.model.config;
    const given: Record<string, Feed> = {
      ...this.fixed,
      ...feeds,
      ...maskFeeds(pass.masks, sizes, this.model.config.dim),
      ...drawDropoutMasks(compiled.sites, sizes, pass.dropoutSeed),
      [KEPT_LAYERS]: { shape: [layers], data: drawLayers(layers, this.options.rates.layer ?? 0, pass.dropoutSeed) },
    };
    if (compiled.before) Object.assign(given, await compiled.before.run(given));
    const { logits, ...saved } = await compiled.forward.run(given);
    const output = this.outputOf(batch, logits);
    this.pending = (data) => {
      const cotangent = resized({ shape: output.shape, data }, logits.shape);
      const wanted = (into: GradientOutputs) =>
        Object.fromEntries(Object.entries(into).filter(([name]) => compiled.gradients.has(name)));
      return this.accumulator.add((into) =>
        compiled.backward.run({ ...given, ...saved, [COTANGENT]: cotangent }, wanted(into)),
      );
    };
    return output;
  }

  /** Adds the gradients of the last forward pass, given the loss's cotangent in the shape of its logits. */
  async backward(cotangent: Float32Array): Promise<void> {
    const { pending } = this;
    if (!pending) throw new InternalError("backward without a forward pass");
    this.pending = undefined;
    await pending(cotangent);
    await this.sessions.used();
  }

  /** Frames that the convolutions give of so many samples. */
  framesOf(samples: number): number {
    return frameCount(this.model.config.conv, samples);
  }

  dispose(): Promise<void> {
    return this.sessions.release();
  }

  /** A batch as graphs take it, enlarged to one of few sizes where each is compiled, and those sizes by symbol. */
  private feedsOf({ wave, paddedSamples, samples }: PaddedWaveforms) {
    const { config, head } = this.model;
    const { runtime } = this.options;
    const own = { items: samples.length, length: paddedSamples };
    const align = (count: number) => alignedSamples(config.conv, count);
    const { items, length } = runtime.compilesShapes ? roundedUp(own, align) : own;
    const data = config.normalizeWaveform ? normalizeWaveforms(wave, paddedSamples, samples) : wave;
    const counts = (of: (samples: number) => number): Feed => ({
      shape: [items],
      data: BigInt64Array.from({ length: items }, (_, item) => BigInt(of(samples[item] ?? paddedSamples))),
    });
    const feeds: Record<string, Feed> = {
      wave: resized({ shape: [own.items, own.length], data }, [items, length]),
      lengths: counts((count) => count),
      validFrames: counts((count) => this.framesOf(count)),
      [FRAMES]: counts((count) => headFrames(head, this.framesOf(count))),
    };
    return { feeds, sizes: { batch: items, samples: length, time: this.framesOf(length) } };
  }

  /** What a batch gives, without what it was enlarged by. */
  private outputOf({ samples }: PaddedWaveforms, logits: HostArray): HeadOutput {
    const shape = [samples.length, ...logits.shape.slice(1)];
    const frames = samples.map((count) => headFrames(this.model.head, this.framesOf(count)));
    return { logits: resized(logits, shape).data, shape, frames };
  }

  private trainingSessions({ masks, learning }: JointPass): Promise<Compiled> {
    const training: TrainingTrace = {
      rates: this.options.rates,
      masksTime: masks?.time !== undefined,
      masksFeatures: masks?.features !== undefined,
    };
    const key = JSON.stringify([...learning, training.masksTime, training.masksFeatures]);
    return this.sessions.get(key, async (compile) => {
      const { model } = this;
      const sites: DropoutSite[] = [];
      const saved: LstmTraces = new Map();
      const { states } = this.options;
      const trace = { states, dropout: fedDropout(sites), training };
      // what comes before the first part that learns stands still, and needs no gradient
      const first = PARTS.findIndex((part) => learning.has(part));
      const { lookup: still } = specInputs(jointSpecs(model));
      const boundary = first > 0 ? traceParts(model, { ...trace, lookup: still }, "frontEnd", PARTS[first - 1]) : null;
      const { values, lookup } = specInputs(jointSpecs(model));
      const logits = traceParts(model, { ...trace, lookup, saved }, PARTS[first], "head");
      const parameters = learntOf(model, values, logits, learning);
      const cut = splitBackward({ logits, parameters, saved: this.handedOver(logits, saved) });
      return {
        before: boundary
          ? await compile({ name: "frozen", outputs: new Map([[BOUNDARY[PARTS[first]], boundary]]) })
          : undefined,
        forward: await compile({ name: "recogniser-forward", outputs: cut.forward }),
        backward: await compile({ name: "recogniser-backward", outputs: cut.backward }),
        sites,
        gradients: new Set(cut.backward.keys()),
      };
    });
  }

  /** Where memory is the host's, products are handed to the backward pass; elsewhere computing again beats the transfer. */
  private handedOver(logits: Value, saved: LstmTraces): ReadonlyMap<string, Value> {
    const { device } = this.options.runtime;
    if (device !== "cpu" && device !== "wasm") return saved;
    const dear = reachableNodes([logits]).filter(({ op }) => DEAR.has(op));
    return new Map([...saved, ...dear.map(({ outputs: [value] }, i): [string, Value] => [`value.${i}`, value])]);
  }
}

/** The parameters that learn, by name: of a part that does, read on the way to the logits, and no statistics. */
function learntOf(
  model: JointModel,
  values: ReadonlyMap<string, Value>,
  logits: Value,
  learning: ReadonlySet<Part> = new Set(PARTS),
): Map<string, Value> {
  const read = new Set(reachableNodes([logits]));
  const learnt = jointSpecs(model).filter(({ name, part }) => learning.has(part) && isLearnt(name));
  return new Map(
    learnt.flatMap(({ name }): [string, Value][] => {
      const value = values.get(name) as Value;
      return read.has(value.node) ? [[name, value]] : [];
    }),
  );
}

/** Masks of a batch, and none for items that it was enlarged by. */
function maskFeeds(
  masks: FeatureMasks | undefined,
  sizes: { readonly batch: number; readonly time: number },
  dim: number,
) {
  const feeds: Record<string, Feed> = {};
  const { batch, time } = sizes;
  if (masks?.time) {
    const { frames, data } = masks.time;
    feeds.mask = resized<Uint8Array>({ shape: [data.length / frames, frames], data }, [batch, time]);
  }
  if (masks?.features)
    feeds[FEATURE_MASK] = resized<Float32Array>(
      { shape: [masks.features.length / dim, 1, dim], data: masks.features },
      [batch, 1, dim],
    );
  return feeds;
}
