// A head that runs and trains: logits, then gradients from the loss's cotangent, which the host computes in between.
import { COTANGENT, splitBackward } from "../../autodiff/cut.ts";
import { InternalError } from "../../errors.ts";
import { type HostArray, type Parameters, resized } from "../../graph/array.ts";
import { mulDims } from "../../graph/dim.ts";
import { memoryLimit } from "../../memory.ts";
import { flatten } from "../../models/flat.ts";
import { specInputs } from "../../models/trace.ts";
import type { LstmTraces } from "../../nn/lstm.ts";
import { type DropoutSite, fedDropout, noDropout } from "../../nn/scope.ts";
import { checkXVectorFrames } from "../../nn/x-vector.ts";
import type { Executable, Feed, Runtime } from "../../runtime/runtime.ts";
import { SessionCache } from "../../runtime/sessions.ts";
import { roundedUp } from "../../runtime/shape-ladder.ts";
import { GradientAccumulator } from "../../training/accumulator.ts";
import { drawDropoutMasks } from "../../training/dropout-masks.ts";
import type { FeatureBatch } from "../features/features.types.ts";
import { augmentFeeds } from "./augment.ts";
import type { HeadConfig, HeadInput } from "./config.ts";
import { BLOCKS, FRAMES, frameMultiple, type HeadGraphOptions, headFrames, headLogits, STATES, TIME } from "./graph.ts";
import { headParameters } from "./parameters.ts";
import type { SpecAugmentPlan } from "./specaugment.ts";

export interface HeadOptions {
  readonly config: HeadConfig;
  readonly input: HeadInput;
  readonly dtype: "float16" | "float32";
  readonly parameters: Parameters;
  readonly runtime: Runtime;
}

/** Logits of a batch. */
export interface HeadOutput {
  readonly logits: Float32Array;
  /** [items, frames, outputs], or [items, outputs]. */
  readonly shape: readonly number[];
  /** True frames of every item, among those of the logits. */
  readonly frames: readonly number[];
}

/** What makes a training pass differ from an evaluation. */
export interface TrainingPass {
  readonly dropoutSeed: number;
  /** One plan an item; absent: no SpecAugment. */
  readonly plans?: readonly SpecAugmentPlan[];
}

interface Compiled {
  readonly forward: Executable;
  readonly backward: Executable;
  readonly sites: readonly DropoutSite[];
}

/** Memory of the process above which sessions are made anew. */
const RECYCLE_ABOVE_BYTES = Math.min(5 * 2 ** 30, memoryLimit().bytes / 2);

export class Head {
  readonly config: HeadConfig;
  readonly input: HeadInput;
  /** Views of `weights`, by name. */
  readonly parameters: Parameters;
  readonly weights: Float32Array;
  /** Sum over the backward passes since `zeroGradients`, in the order of the weights. */
  readonly gradients: Float32Array;
  private readonly dtype: HeadOptions["dtype"];
  private readonly accumulator: GradientAccumulator;
  private readonly sessions: SessionCache;
  /** Programs are compiled for every size of batch: there shall be few. */
  private readonly compilesShapes: boolean;
  /** The backward pass that belongs to the last forward pass. */
  private pending: ((cotangent: Float32Array) => Promise<unknown>) | undefined;

  constructor({ config, input, dtype, parameters, runtime }: HeadOptions) {
    const specs = headParameters(config, input);
    const { flat, views } = flatten(specs, parameters);
    this.config = config;
    this.input = input;
    this.dtype = dtype;
    this.weights = flat;
    this.parameters = views;
    this.accumulator = new GradientAccumulator(specs);
    this.gradients = this.accumulator.flat;
    this.compilesShapes = runtime.compilesShapes ?? false;
    this.sessions = new SessionCache(runtime, () => process.memoryUsage.rss() >= RECYCLE_ABOVE_BYTES);
  }

  zeroGradients(): void {
    this.accumulator.reset();
  }

  /** Logits in evaluation: no dropout, no SpecAugment. */
  async infer(features: FeatureBatch): Promise<HeadOutput> {
    if (this.isTooShort(features)) return this.noOutput(features);
    const batch = this.enlarged(features);
    const inference = await this.sessions.get("inference", (compile) => {
      const { logits } = this.traced({ specAugment: false, isTraining: false, dropout: noDropout });
      return compile({ name: "head", outputs: new Map([["logits", logits]]) });
    });
    const frames = this.framesOf(batch);
    const { logits } = await inference.run(this.feedsOf(batch, frames));
    if (!this.pending) await this.sessions.used();
    return this.outputOf(features, logits);
  }

  /** Logits of a training pass, whose gradients `backward` adds next. */
  async forward(features: FeatureBatch, { dropoutSeed, plans }: TrainingPass): Promise<HeadOutput> {
    if (this.isTooShort(features)) {
      this.pending = async () => {};
      return this.noOutput(features);
    }
    const batch = this.enlarged(features);
    const compiled = await this.trainingSessions(plans !== undefined);
    const frames = this.framesOf(batch);
    const [, items, time] = batch.shape;
    const given: Record<string, Feed> = {
      ...this.feedsOf(batch, frames),
      ...(plans && augmentFeeds(forAll(plans, items, time), time, this.input.dim)),
      ...drawDropoutMasks(compiled.sites, { items, time, blocks: time / frameMultiple(this.config) }, dropoutSeed),
    };
    const { logits, ...saved } = await compiled.forward.run(given);
    const output = this.outputOf(features, logits);
    this.pending = (data) => {
      const cotangent = resized({ shape: output.shape, data }, logits.shape);
      return this.accumulator.add((into) =>
        compiled.backward.run({ ...given, ...saved, [COTANGENT]: cotangent }, into),
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

  /** Ends all sessions; the next use makes them again. */
  release(): Promise<void> {
    return this.sessions.release();
  }

  /**
   * The batch has no frame that the head could read; recurrences do not run over no frames.
   * @throws StillwaveError for an item of which an x-vector has nothing to pool
   */
  private isTooShort({ shape, frames }: FeatureBatch): boolean {
    if (this.config.kind === "xvector") checkXVectorFrames(frames);
    return headFrames(this.config, shape[2]) === 0;
  }

  private noOutput({ frames }: FeatureBatch): HeadOutput {
    return { logits: new Float32Array(0), shape: [frames.length, 0, this.config.outputs], frames: frames.map(() => 0) };
  }

  /** The batch with zero frames up to the multiple that the head wants, and to one of few sizes where each is compiled. */
  private enlarged({ data, shape, frames }: FeatureBatch): FeatureBatch {
    const multiple = frameMultiple(this.config);
    const [layers, items, time, dim] = shape;
    const align = (count: number) => Math.ceil(count / multiple) * multiple;
    const own = { items, length: align(time) };
    const size = this.compilesShapes ? roundedUp(own, align) : own;
    const more = new Array<number>(size.items - items).fill(size.length);
    const larger = resized<Float32Array | Uint16Array>({ data, shape }, [layers, size.items, size.length, dim]);
    return { data: larger.data, shape: [layers, size.items, size.length, dim], frames: [...frames, ...more] };
  }

  /** What a batch gives, without what it was enlarged by. */
  private outputOf({ shape: [, items, time], frames }: FeatureBatch, logits: HostArray): HeadOutput {
    const multiple = frameMultiple(this.config);
    const most = headFrames(this.config, Math.ceil(time / multiple) * multiple);
    const [, ...rest] = logits.shape;
    const shape = rest.length === 1 ? [items, ...rest] : [items, most, rest[1]];
    return {
      logits: resized(logits, shape).data,
      shape,
      frames: frames.map((count) => headFrames(this.config, count)),
    };
  }

  private framesOf({ frames }: FeatureBatch): number[] {
    return frames.map((count) => headFrames(this.config, count));
  }

  private feedsOf({ data, shape }: FeatureBatch, frames: readonly number[]): Record<string, Feed> {
    return {
      ...Object.fromEntries(this.parameters),
      [STATES]: { shape, data },
      [FRAMES]: { shape: [frames.length], data: BigInt64Array.from(frames, BigInt) },
    };
  }

  private traced(options: Omit<HeadGraphOptions, "dtype" | "time">) {
    const { config, input, dtype } = this;
    const { values: parameters, lookup } = specInputs(headParameters(config, input));
    const multiple = frameMultiple(config);
    const time = multiple === 1 ? TIME : mulDims(multiple, BLOCKS);
    return { parameters, logits: headLogits(config, input, lookup, { dtype, time, ...options }) };
  }

  private trainingSessions(specAugment: boolean): Promise<Compiled> {
    return this.sessions.get(specAugment ? "augmented" : "training", async (compile) => {
      const sites: DropoutSite[] = [];
      const saved: LstmTraces = new Map();
      const { logits, parameters } = this.traced({ specAugment, isTraining: true, dropout: fedDropout(sites), saved });
      const { forward, backward } = splitBackward({ logits, parameters, saved });
      return {
        forward: await compile({ name: "head-forward", outputs: forward }),
        backward: await compile({ name: "head-backward", outputs: backward }),
        sites,
      };
    });
  }
}

/** The plans, and none for items that were added. */
function forAll(plans: readonly SpecAugmentPlan[], items: number, time: number): SpecAugmentPlan[] {
  const [{ dim }] = plans;
  return Array.from({ length: items }, (_, i) => plans[i] ?? { frames: time, dim, featureMasks: [], timeMasks: [] });
}
