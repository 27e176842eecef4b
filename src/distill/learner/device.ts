// Learning on XLA devices: weights, moments and gradients stay there; the host sends speech, masks and numbers of the update.
import type { Batch } from "../../data/index.ts";
import { sizeOf } from "../../graph/array.ts";
import { frameCount, validFrames } from "../../models/config.ts";
import { flatten } from "../../models/flat.ts";
import { type ModelWeights, parameterSpecs } from "../../models/parameters.ts";
import { correctedRate, createAdamWState } from "../../optim/adamw.ts";
import type { PjrtClient } from "../../runtime/xla/client.ts";
import { type CompiledProgram, type Fed, Resident } from "../../runtime/xla/resident.ts";
import type { Program } from "../../stablehlo/program.ts";
import { lossesOf, type StepLosses } from "../loss.ts";
import { type BatchShards, bytesOf, shardBatch, speechFeeds } from "./feeds.ts";
import type { Learner, UpdateNumbers } from "./learner.ts";
import {
  applyProgram,
  gradientProgram,
  type ProgramOptions,
  STATE,
  updateProgram,
  validationProgram,
} from "./program.ts";

export interface DeviceLearnerOptions extends Omit<ProgramOptions, "teacher" | "student"> {
  readonly teacher: ModelWeights;
  readonly student: ModelWeights;
  /** Micro-batches of an update. With one, gradient and update are one program. */
  readonly accumulate: number;
}

/** Updates under way: one runs, one waits for it, one is being fed. */
const DEPTH = 3;

export function createDeviceLearner(client: PjrtClient, options: DeviceLearnerOptions): Learner {
  const { teacher, student, optimizer, replicas, loss } = options;
  const programOptions: ProgramOptions = { ...options, teacher: teacher.config, student: student.config };
  const specs = parameterSpecs(student.config);
  const weights = flatten(specs, student.parameters);
  const state = { parameters: weights.views, optimizer: createAdamWState(weights.flat.length) };
  const resident = new Resident(client, replicas);
  const programs = new Map<string, Promise<CompiledProgram>>();
  let begun: Promise<StepLosses>[] = [];
  /** The micro-batch of an update that has no other: its program is the update's. */
  let held: { readonly shards: BatchShards; readonly feeds: Readonly<Record<string, Fed>> } | undefined;

  const compiled = (key: string, write: () => Program) => {
    const known = programs.get(key) ?? resident.compile(write());
    programs.set(key, known);
    return known;
  };
  /** Weights and moments of a parameter, on the host. */
  const hostArrays = () => {
    let offset = 0;
    return specs.flatMap(({ name, shape }) => {
      const part = (flat: Float32Array) => flat.subarray(offset, offset + sizeOf(shape));
      const arrays = [
        { name: STATE.weight(name), shape, data: part(weights.flat) },
        { name: STATE.m(name), shape, data: part(state.optimizer.m) },
        { name: STATE.v(name), shape, data: part(state.optimizer.v) },
      ];
      offset += sizeOf(shape);
      return arrays;
    });
  };
  const putFloats = (name: string, shape: readonly number[], data: Float32Array) =>
    resident.put({ name, shape, type: "f32" }, bytesOf(data));
  const putState = () => {
    for (const { name, shape, data } of hostArrays()) putFloats(name, shape, data);
    putFloats(STATE.halted, [], Float32Array.of(0));
  };
  const losses = async (result: bigint): Promise<StepLosses> => {
    const heads = student.config.headLayers.length;
    const values = new Float32Array(1 + 2 * heads);
    await resident.take(result, bytesOf(values));
    const part = (from: number, to: number) => ({ data: values.subarray(from, to) });
    return lossesOf({ total: part(0, 1), masked: part(1, 1 + heads), unmasked: part(1 + heads, 1 + 2 * heads) });
  };
  const framesOf: Learner["framesOf"] = ({ samples, paddedSamples }) => ({
    frames: frameCount(student.config.conv, paddedSamples),
    valid: samples.map((count) => validFrames(student.config, count, paddedSamples)),
  });
  const shard = (batch: Batch) => shardBatch(batch, replicas, { ...framesOf(batch), ...loss });

  for (const [name, { shape, data }] of teacher.parameters) putFloats(STATE.teacher(name), shape, data);
  putState();
  return {
    state,
    depth: DEPTH,
    framesOf,
    async accumulate({ batch, mask, dropoutSeed }, share) {
      const shards = shard(batch);
      const feeds = {
        ...speechFeeds(shards, [teacher.config, student.config]),
        mask: shards.split(mask),
        dropoutKey: bytesOf(BigUint64Array.of(BigInt(dropoutSeed))),
        firstRow: shards.firstRows.map((row) => bytesOf(BigUint64Array.of(BigInt(row)))),
        lossScale: shards.shares.map((own) => bytesOf(Float32Array.of(share * own))),
      };
      if (options.accumulate === 1) {
        held = { shards, feeds };
        return;
      }
      const program = await compiled(`gradient ${shards.key}`, () => gradientProgram(programOptions, shards.shape));
      for (const { name, shape } of specs)
        if (!resident.has(STATE.gradient(name)))
          putFloats(STATE.gradient(name), shape, new Float32Array(sizeOf(shape)));
      const results = await resident.run(program, feeds);
      begun.push(quiet(losses(results.get("losses") as bigint)));
    },
    async apply({ learningRate, scale }) {
      state.optimizer.t += 1;
      const rate = correctedRate(learningRate, optimizer.betas, state.optimizer.t);
      const scalars = { rate: bytesOf(Float32Array.of(rate)), scale: bytesOf(Float32Array.of(scale)) };
      const whole = held;
      const program = whole
        ? await compiled(`update ${whole.shards.key}`, () => updateProgram(programOptions, whole.shards.shape))
        : await compiled("apply", () => applyProgram(programOptions));
      const results = await resident.run(program, { ...whole?.feeds, ...scalars });
      if (whole) begun.push(losses(results.get("losses") as bigint));
      const norm = new Float32Array(1);
      const took = resident.take(results.get("gradientNorm") as bigint, bytesOf(norm));
      const parts = begun;
      [begun, held] = [[], undefined];
      const numbers = async (): Promise<UpdateNumbers> => {
        await took;
        return { losses: await Promise.all(parts), gradientNorm: norm[0] };
      };
      return { numbers: quiet(numbers()) };
    },
    async validate(batch) {
      const shards = shard(batch);
      const program = await compiled(`validation ${shards.key}`, () => validationProgram(programOptions, shards.shape));
      const results = await resident.run(program, speechFeeds(shards, [teacher.config, student.config]));
      return losses(results.get("losses") as bigint);
    },
    async snapshot() {
      for (const { name, data } of hostArrays()) await resident.read(name, bytesOf(data));
      return state;
    },
    restored: async () => putState(),
    async dispose() {
      await Promise.allSettled([...begun, ...programs.values()]);
      resident.dispose();
    },
  };
}

/** A promise whose failure is told to whoever waits for it, and to nobody else. */
function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}
