// Learning on XLA devices: weights, moments and gradients stay there; the host sends speech, masks and numbers of the update.
import { availableParallelism } from "node:os";
import type { BatchShape } from "../../data/planning/ladder.ts";
import { bytesOf } from "../../graph/array.ts";
import { framesOf } from "../../models/config.ts";
import type { ModelWeights, ParameterSpec } from "../../models/parameters.ts";
import { correctedRate } from "../../optim/adamw.ts";
import type { ProcessGroup } from "../../processes/group.ts";
import { Random } from "../../random.ts";
import type { Handle, PjrtClient } from "../../runtime/xla/client.ts";
import { type CompiledProgram, type Fed, Resident } from "../../runtime/xla/resident.ts";
import type { TrainingState } from "../../training/checkpoints.ts";
import { mixesUtterances } from "../../upstream/batches.ts";
import { allTerms, lossesOf, type StepLosses, TOTAL, termOutput } from "../losses.ts";
import { drawLayers, KEPT_LAYERS } from "../masks.ts";
import { countFeeds, countFrames, type FrameCounts, type FrameLabels } from "../objectives/frames.ts";
import type { Objective } from "../objectives/objective.ts";
import { trainedParameters, trainedSpecs } from "../objectives/parameters.ts";
import { type SpeechBatch, wholeOf } from "../shares.ts";
import type { MicroBatch } from "../step.ts";
import { DeviceState } from "./device-state.ts";
import { type BatchShards, labelFeeds, shardBatch, shardShape, speechFeeds } from "./feeds.ts";
import type { Learner, UpdateNumbers, UpdateSettings } from "./learner.ts";
import { firstScaling } from "./loss-scaling.ts";
import {
  applyProgram,
  gradientProgram,
  type ProgramOptions,
  type ShardShape,
  STATE,
  updateProgram,
  validationProgram,
} from "./program.ts";

export interface DeviceLearnerOptions extends Omit<ProgramOptions, "teachers" | "student" | "platform"> {
  readonly teachers: readonly ModelWeights[];
  readonly student: ModelWeights;
  /** Of the objectives' own initial weights. */
  readonly seed: number;
  /** Micro-batches of an update. With one, and alone, gradient and update are one program. */
  readonly accumulate: number;
  /** Processes whose gradients and losses are added up on the hosts. */
  readonly group?: ProcessGroup;
}

const PROGRAMS = {
  update: updateProgram,
  gradient: gradientProgram,
  apply: (options: ProgramOptions) => applyProgram(options),
  validation: validationProgram,
} as const;

/** For programs that read no speech. */
const NO_SPEECH: ShardShape = { items: 0, samples: 0, pcm: false };

/** Each holds one of Node's four threads for files, and some cores. */
const COMPILED_AT_ONCE = availableParallelism() >= 8 ? 2 : 1;

/** One update runs, one waits for it, one is being fed. The host's own cores do nothing meanwhile, so there it is one. */
const DEPTH = 3;

/** A batch as the devices get it. */
interface GivenBatch {
  readonly shards: BatchShards;
  readonly feeds: Readonly<Record<string, Fed>>;
  readonly counts: FrameCounts;
}

export class DeviceLearner implements Learner {
  readonly objectives: readonly Objective[];
  readonly depth: number;
  readonly state: TrainingState;
  private readonly specs: readonly ParameterSpec[];
  private readonly options: DeviceLearnerOptions;
  private readonly programOptions: ProgramOptions;
  private readonly resident: Resident;
  private readonly onDevices: DeviceState;
  private readonly programs = new Map<string, Promise<CompiledProgram>>();
  /** Shapes whose programs nobody has begun to compile. */
  private expected: readonly BatchShape[] = [];
  private readonly isOneProgram: boolean;
  /** Of this process: each gets a share of what it reads. */
  private readonly deviceCount: number;
  /** Gradients of all processes, on the host; sums that were begun, which names them. */
  private gradients: Float32Array | undefined;
  private sums = 0;
  private isDisposed = false;
  /** Losses of the update that was begun. */
  private begun: Promise<StepLosses>[] = [];
  /** The micro-batch of an update that has no other: its program is the update's. */
  private held: GivenBatch | undefined;

  constructor(client: PjrtClient, options: DeviceLearnerOptions) {
    const { teachers, student, objectives, replicas, accumulate, group } = options;
    this.options = options;
    this.objectives = objectives;
    this.specs = trainedSpecs(student.config, options);
    this.isOneProgram = accumulate === 1 && !group;
    this.deviceCount = Math.min(replicas, client.devices.length);
    this.depth = client.platform === "cpu" ? 1 : DEPTH;
    const { platform } = client;
    const configs = teachers.map(({ config }) => config);
    this.programOptions = { ...options, platform, teachers: configs, student: student.config };
    this.resident = new Resident(client, replicas);
    const trained = trainedParameters(student, objectives, options.seed);
    const scaling = options.precision === "fp16" ? firstScaling() : undefined;
    this.onDevices = new DeviceState(this.resident, this.specs, trained, scaling);
    this.state = this.onDevices.host;
    for (const [i, { parameters }] of teachers.entries())
      for (const [name, { shape, data }] of parameters)
        this.resident.put({ name: STATE.teacher(i, name), shape, type: "f32" }, bytesOf(data));
    this.onDevices.put();
  }

  framesOf({ samples, paddedSamples }: Pick<SpeechBatch, "samples" | "paddedSamples">) {
    return framesOf(this.options.student.config, { samples, paddedSamples });
  }

  expect(shapes: readonly BatchShape[]): void {
    this.expected = shapes;
  }

  async accumulate({ batch, dropoutSeed, ...labels }: MicroBatch, share: number): Promise<void> {
    const { student, dropout } = this.options;
    const { shards, counts, feeds: given } = this.given(batch, labels);
    const feeds = {
      ...given,
      dropoutKey: bytesOf(dropoutKey(dropoutSeed)),
      firstRow: shards.firstRows.map((row) => bytesOf(Uint32Array.of(row))),
      lossScale: bytesOf(Float32Array.of(share)),
      [KEPT_LAYERS]: bytesOf(drawLayers(student.config.layers, dropout.layer ?? 0, dropoutSeed)),
    };
    if (this.isOneProgram) {
      this.held = { shards, feeds, counts };
      return;
    }
    this.onDevices.putGradients(this.specs);
    const results = await this.resident.run(await this.compiled("gradient", shards.shape), feeds);
    this.begun.push(quiet(this.losses(results, counts)));
  }

  async apply({ learningRate, scale }: UpdateSettings): Promise<{ readonly numbers: Promise<UpdateNumbers> }> {
    const { optimizer } = this.state;
    const { held } = this;
    if (this.options.group) await this.sumGradients(this.options.group);
    const program = await (held ? this.compiled("update", held.shards.shape) : this.compiled("apply"));
    const rate = correctedRate(learningRate, this.options.optimizer.betas, optimizer.t + 1);
    const scalars = { rate: bytesOf(Float32Array.of(rate)), scale: bytesOf(Float32Array.of(scale)) };
    const results = await this.resident.run(program, { ...held?.feeds, ...scalars });
    optimizer.t += 1;
    if (held) this.begun.push(this.losses(results, held.counts));
    const numbers = this.numbersOf(this.begun, results);
    [this.begun, this.held] = [[], undefined];
    return { numbers: quiet(numbers) };
  }

  async validate(batch: SpeechBatch, labels: FrameLabels = {}): Promise<StepLosses> {
    const { shards, counts, feeds } = this.given(batch, labels);
    const program = await this.compiled("validation", shards.shape);
    return this.losses(await this.resident.run(program, feeds), counts);
  }

  snapshot(): Promise<TrainingState> {
    return this.onDevices.read();
  }

  async restored(): Promise<void> {
    this.onDevices.put();
  }

  async dispose(): Promise<void> {
    this.isDisposed = true;
    await Promise.allSettled([...this.begun, ...this.programs.values()]);
    this.resident.dispose();
  }

  /** What the devices get of a batch. */
  private given(batch: SpeechBatch, labels: FrameLabels): GivenBatch {
    const { teachers, student, countPaddedFrames } = this.options;
    if (this.expected.length > 0) this.makeReady(batch.pcm !== undefined);
    const shards = shardBatch(batch, this.deviceCount, this.sharers);
    const { samples } = wholeOf(batch);
    const frames = this.framesOf({ samples, paddedSamples: batch.paddedSamples });
    const counts = countFrames(frames, labels, countPaddedFrames);
    const counted = Object.entries(countFeeds(counts, shards.copies)).map(([name, data]) => [name, bytesOf(data)]);
    const speech = speechFeeds(
      shards,
      [...teachers, student].map(({ config }) => config),
    );
    return { shards, counts, feeds: { ...speech, ...labelFeeds(shards, labels), ...Object.fromEntries(counted) } };
  }

  /** Students whose utterances see each other's maps need whole batches. */
  private get sharers(): number {
    return mixesUtterances(this.options.student.config) ? 1 : this.deviceCount;
  }

  private compiled(kind: keyof typeof PROGRAMS, shape: ShardShape = NO_SPEECH): Promise<CompiledProgram> {
    const key = JSON.stringify([kind, shape]);
    const known = this.programs.get(key) ?? this.resident.compile(PROGRAMS[kind](this.programOptions, shape));
    this.programs.set(key, known);
    return known;
  }

  /** Compiles what will be needed, a few programs at a time, while others run. */
  private makeReady(pcm: boolean): void {
    const kind = this.isOneProgram ? "update" : "gradient";
    const shapes = this.expected.map(({ items, paddedSamples }) => shardShape(items, paddedSamples, this.sharers, pcm));
    const jobs = ([kind, "validation"] as const).flatMap((of) => shapes.map((shape) => ({ of, shape })));
    const work = async () => {
      for (let job = jobs.shift(); job && !this.isDisposed; job = jobs.shift()) await this.compiled(job.of, job.shape);
    };
    this.expected = [];
    for (let i = 0; i < COMPILED_AT_ONCE; i++) quiet(work());
  }

  /** Adds up what the processes have, in the order of ranks, and gives each of them the sum. */
  private async sumGradients(group: ProcessGroup): Promise<void> {
    this.gradients ??= new Float32Array(this.state.optimizer.m.length);
    await this.onDevices.readGradients(this.gradients);
    await group.sum(`gradients ${this.sums++}`, this.gradients);
    this.onDevices.writeGradients(this.gradients);
  }

  private async losses(results: ReadonlyMap<string, Handle>, counts: FrameCounts): Promise<StepLosses> {
    const sizes = allTerms(this.objectives).map(({ key, weights }) => [termOutput(key), weights.length] as const);
    const layout = [[TOTAL, 1] as const, ...sizes];
    const values = new Float32Array(layout.reduce((sum, [, size]) => sum + size, 0));
    const name = `losses ${this.sums++}`;
    await this.resident.take(results.get("losses") as Handle, bytesOf(values));
    await this.options.group?.sum(name, values);
    const outputs: Record<string, { readonly data: Float32Array }> = {};
    let from = 0;
    for (const [name, size] of layout) {
      outputs[name] = { data: values.subarray(from, from + size) };
      from += size;
    }
    return lossesOf(this.objectives, outputs, counts);
  }

  private async numbersOf(
    losses: readonly Promise<StepLosses>[],
    results: ReadonlyMap<string, Handle>,
  ): Promise<UpdateNumbers> {
    const [norm, scaling] = [new Float32Array(1), firstScaling()];
    const scaled = results.get("lossScaling");
    const [all] = await Promise.all([
      Promise.all(losses),
      this.resident.take(results.get("gradientNorm") as Handle, bytesOf(norm)),
      scaled !== undefined && this.resident.take(scaled, bytesOf(scaling)),
    ]);
    const [scale, , skipped] = scaling;
    return { losses: all, gradientNorm: norm[0], lossScaling: scaled === undefined ? undefined : { scale, skipped } };
  }
}

function dropoutKey(seed: number): Uint32Array {
  const random = new Random(seed, "device");
  return Uint32Array.of(random.uint32(), random.uint32());
}

/** A promise whose failure is told to whoever waits for it, and to nobody else. */
function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}
