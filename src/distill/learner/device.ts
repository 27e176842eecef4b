// Learning on XLA devices: weights, moments and gradients stay there; the host sends speech, masks and numbers of the update.
import { availableParallelism } from "node:os";
import type { BatchShape } from "../../data/planning/ladder.ts";
import { bytesOf } from "../../graph/array.ts";
import { framesOf } from "../../models/config.ts";
import { type ModelWeights, parameterSpecs } from "../../models/parameters.ts";
import { correctedRate } from "../../optim/adamw.ts";
import type { ProcessGroup } from "../../processes/group.ts";
import { Random } from "../../random.ts";
import type { Handle, PjrtClient } from "../../runtime/xla/client.ts";
import { type CompiledProgram, type Fed, Resident } from "../../runtime/xla/resident.ts";
import type { TrainingState } from "../../training/checkpoints.ts";
import { mixesUtterances } from "../../upstream/batches.ts";
import { lossesOf, type StepLosses } from "../loss.ts";
import { type SpeechBatch, wholeOf } from "../shares.ts";
import { DeviceState } from "./device-state.ts";
import { type BatchShards, shardBatch, shardShape, speechFeeds } from "./feeds.ts";
import type { Learner, MicroBatch, UpdateNumbers, UpdateSettings } from "./learner.ts";
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

export interface DeviceLearnerOptions extends Omit<ProgramOptions, "teacher" | "student" | "platform"> {
  readonly teacher: ModelWeights;
  readonly student: ModelWeights;
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

export class DeviceLearner implements Learner {
  readonly depth: number;
  readonly state: TrainingState;
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
  private held: { readonly shards: BatchShards; readonly feeds: Readonly<Record<string, Fed>> } | undefined;

  constructor(client: PjrtClient, options: DeviceLearnerOptions) {
    const { teacher, student, replicas, accumulate, group } = options;
    this.options = options;
    this.isOneProgram = accumulate === 1 && !group;
    this.deviceCount = Math.min(replicas, client.devices.length);
    this.depth = client.platform === "cpu" ? 1 : DEPTH;
    const { platform } = client;
    this.programOptions = { ...options, platform, teacher: teacher.config, student: student.config, isShared: !!group };
    this.resident = new Resident(client, replicas);
    this.onDevices = new DeviceState(this.resident, student, options.precision === "fp16" ? firstScaling() : undefined);
    this.state = this.onDevices.host;
    for (const [name, { shape, data }] of teacher.parameters)
      this.resident.put({ name: STATE.teacher(name), shape, type: "f32" }, bytesOf(data));
    this.onDevices.put();
  }

  framesOf({ samples, paddedSamples }: Pick<SpeechBatch, "samples" | "paddedSamples">) {
    return framesOf(this.options.student.config, { samples, paddedSamples });
  }

  expect(shapes: readonly BatchShape[]): void {
    this.expected = shapes;
  }

  async accumulate({ batch, mask, dropoutSeed }: MicroBatch, share: number): Promise<void> {
    const shards = this.shard(batch);
    const feeds = {
      ...this.speechOf(shards),
      mask: shards.split(mask),
      dropoutKey: bytesOf(dropoutKey(dropoutSeed)),
      firstRow: shards.firstRows.map((row) => bytesOf(Uint32Array.of(row))),
      lossScale: shards.shares.map((own) => bytesOf(Float32Array.of(share * own))),
    };
    if (this.isOneProgram) {
      this.held = { shards, feeds };
      return;
    }
    this.onDevices.putGradients(parameterSpecs(this.options.student.config));
    const results = await this.resident.run(await this.compiled("gradient", shards.shape), feeds);
    this.begun.push(quiet(this.losses(results)));
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
    if (held) this.begun.push(this.losses(results));
    const numbers = this.numbersOf(this.begun, results);
    [this.begun, this.held] = [[], undefined];
    return { numbers: quiet(numbers) };
  }

  async validate(batch: SpeechBatch): Promise<StepLosses> {
    const shards = this.shard(batch);
    const program = await this.compiled("validation", shards.shape);
    return this.losses(await this.resident.run(program, this.speechOf(shards)));
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

  private shard(batch: SpeechBatch): BatchShards {
    const { loss } = this.options;
    if (this.expected.length > 0) this.makeReady(batch.pcm !== undefined);
    const { samples } = wholeOf(batch);
    const frames = this.framesOf({ samples, paddedSamples: batch.paddedSamples });
    return shardBatch(batch, this.deviceCount, { ...frames, ...loss, sharers: this.sharers });
  }

  /** Students whose utterances see each other's maps need whole batches. */
  private get sharers(): number {
    return mixesUtterances(this.options.student.config) ? 1 : this.deviceCount;
  }

  private speechOf(shards: BatchShards): Record<string, Fed> {
    return speechFeeds(shards, [this.options.teacher.config, this.options.student.config]);
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

  private async losses(results: ReadonlyMap<string, Handle>): Promise<StepLosses> {
    const heads = this.options.student.config.headLayers.length;
    const values = new Float32Array(1 + 2 * heads);
    const name = `losses ${this.sums++}`;
    await this.resident.take(results.get("losses") as Handle, bytesOf(values));
    await this.options.group?.sum(name, values);
    const part = (from: number, to: number) => ({ data: values.subarray(from, to) });
    return lossesOf({ total: part(0, 1), masked: part(1, 1 + heads), unmasked: part(1 + heads, 1 + 2 * heads) });
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
