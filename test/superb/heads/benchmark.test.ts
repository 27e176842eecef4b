// Heads and losses of speakers against numbers of the benchmark's own code, which lie beside the repository.
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readAllSafetensors } from "../../../src/checkpoint/formats/safetensors.ts";
import type { HostArray, Parameters } from "../../../src/graph/array.ts";
import { SPEAKERS } from "../../../src/nn/x-vector.ts";
import { createRuntime } from "../../../src/runtime/node/index.ts";
import type { Runtime } from "../../../src/runtime/runtime.ts";
import { AM_SOFTMAX, marginSoftmax } from "../../../src/speakers/margin.ts";
import { frameErrors, permutationLoss } from "../../../src/speakers/permutation.ts";
import type { HeadConfig } from "../../../src/superb/heads/config.ts";
import { FEATURIZER } from "../../../src/superb/heads/parameters.ts";
import { Head } from "../../../src/superb/heads/step.ts";

const oracle = fileURLToPath(new URL("../../../../shared/oracle/superb", import.meta.url));
const hasOracle = existsSync(oracle);
if (!hasOracle) console.warn(`skipped: no numbers of the benchmark at ${oracle}`);

const facts = (name: string) => JSON.parse(readFileSync(`${oracle}/${name}.json`, "utf8"));
const arrays = async (name: string) => {
  const found = await readAllSafetensors(`${oracle}/${name}.safetensors`);
  return (key: string): HostArray => {
    const array = found.get(key);
    if (!array) throw new Error(`${name}: no tensor ${key}`);
    return array;
  };
};

function expectClose(found: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): void {
  expect(found.length).toBe(expected.length);
  for (let i = 0; i < found.length; i++)
    expect(Math.abs(found[i] - expected[i]), `value ${i}: ${found[i]}, expected ${expected[i]}`).toBeLessThan(
      tolerance,
    );
}

let runtime: Runtime;
beforeAll(async () => {
  runtime = await createRuntime({ threads: 1 });
});

const one: HostArray = { shape: [1], data: new Float32Array(1) };
const batchOf = ({ shape: [items, time, dim], data }: HostArray, frames: readonly number[]) =>
  ({ data, shape: [1, items, time, dim], frames }) as const;

describe.skipIf(!hasOracle)("the x-vector head", () => {
  let head: Head;
  let of: (key: string) => HostArray;
  const names: Record<string, string> = {};
  beforeAll(async () => {
    of = await arrays("asv/xvector");
    const own = (name: string, theirs: string) => {
      for (const part of ["weight", "bias"]) names[`${name}.${part}`] = `${theirs}.${part}`;
    };
    own("projector", "connector");
    for (let i = 0; i < 5; i++) own(`frames.${i}`, `model.framelevel_feature_extractor.module.${i}.kernel`);
    for (const i of [1, 2]) own(`linear${i}`, `model.utterancelevel_feature_extractor.linear${i}`);
    names[SPEAKERS] = "objective.W";
    const parameters: Parameters = new Map([[FEATURIZER, one]]);
    for (const [name, theirs] of Object.entries(names)) parameters.set(name, of(theirs));
    const sizes = { projection: 20, hidden: 20, aggregation: 24, outputs: 6, normalizeStates: false };
    const config: HeadConfig = { kind: "xvector", ...sizes };
    head = new Head({ config, input: { layers: 1, dim: 16 }, dtype: "float32", parameters, runtime });
  });
  afterAll(() => head?.release());

  test("embeddings are the benchmark's, those of padded items those of each alone", async () => {
    const x = of("x");
    expectClose((await head.infer(batchOf(x, [80, 80]))).logits, of("full.embedding").data, 1e-5);
    expectClose((await head.infer(batchOf(x, [80, 61]))).logits, of("padded.embedding_correct").data, 1e-5);
    expectClose((await head.infer(batchOf(x, [80, 61]))).logits, of("alone.embedding").data, 1e-5);
    const { embedding } = facts("asv/xvector").expected.short["16"];
    const least = { shape: [1, 16, 16], data: x.data.subarray(0, 256) };
    expectClose((await head.infer(batchOf(least, [16]))).logits.subarray(0, 4), embedding, 1e-5);
  });

  test("loss and gradients are the benchmark's", async () => {
    head.zeroGradients();
    const { logits } = await head.forward(batchOf(of("x"), [80, 80]), { dropoutSeed: 0 });
    const { loss, cotangent } = marginSoftmax(logits, [...of("labels").data].map(Number));
    expect(Math.abs(loss - facts("asv/xvector").expected.full_loss)).toBeLessThan(2e-5);
    await head.backward(cotangent);
    let at = 0;
    for (const [name, { data }] of head.parameters) {
      const own = head.gradients.subarray(at, at + data.length);
      at += data.length;
      if (name === FEATURIZER) continue;
      const expected = of(`full.grad.${names[name]}`).data;
      const largest = Math.max(...[...expected].map(Math.abs));
      expectClose(own, expected, 2e-5 * Math.max(1, largest));
    }
  });
});

describe.skipIf(!hasOracle)("losses", () => {
  test.each([
    ["s30_m04", AM_SOFTMAX],
    ["s15_m02", { scale: 15, margin: 0.2 }],
    ["s30_m0", { scale: 30, margin: 0 }],
  ])("the margin loss %s and its gradients are the benchmark's", async (name, margin) => {
    const of = await arrays("asv/amsoftmax");
    const [x, w] = [of("x"), of("W")];
    const [items, width] = x.shape;
    const speakers = w.shape[1];
    const unit = (values: number[]) => values.map((value) => value / Math.hypot(...values));
    const row = (i: number) => Array.from(x.data.subarray(i * width, (i + 1) * width), Number);
    const column = (s: number) => Array.from({ length: width }, (_, k) => Number(w.data[k * speakers + s]));
    const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, value, k) => sum + value * b[k], 0);
    const cosines = Array.from({ length: items * speakers }, (_, i) =>
      dot(unit(row(Math.floor(i / speakers))), unit(column(i % speakers))),
    );
    const { loss, cotangent } = marginSoftmax(Float32Array.from(cosines), [...of("labels").data].map(Number), margin);
    expect(Math.abs(loss - facts("asv/amsoftmax").expected[name].loss)).toBeLessThan(1e-5);
    // d cos / d x = (w - cos x) / |x| of unit vectors
    const along = (own: number[], others: number[][], pick: (k: number) => number) => {
      const [from, size] = [unit(own), Math.hypot(...own)];
      return own.map((_, d) =>
        others.reduce((sum, other, k) => {
          const to = unit(other);
          return sum + (cotangent[pick(k)] * (to[d] - dot(from, to) * from[d])) / size;
        }, 0),
      );
    };
    const columns = Array.from({ length: speakers }, (_, s) => column(s));
    const rows = Array.from({ length: items }, (_, i) => row(i));
    const gradX = rows.flatMap((own, i) => along(own, columns, (s) => i * speakers + s));
    expectClose(gradX, of(`${name}.grad_x`).data, 1e-5);
    const gradW = columns.map((own, s) => along(own, rows, (i) => i * speakers + s));
    const flat = Array.from({ length: width * speakers }, (_, i) => gradW[i % speakers][Math.floor(i / speakers)]);
    expectClose(flat, of(`${name}.grad_W`).data, 1e-5);
  });

  test("the permutation-invariant loss, its gradient and the counts of frames are the benchmark's", async () => {
    const of = await arrays("sd/pit");
    const { lengths, expected } = facts("sd/pit");
    const part = (key: string, item: number) => of(key).data.subarray(item * 40, item * 40 + 2 * lengths[item]);
    const recordings = lengths.map((frames: number, item: number) => ({
      logits: part("logits", item) as Float32Array,
      labels: part("labels", item),
      frames,
    }));
    const gradients = lengths.map((frames: number) => new Float32Array(2 * frames));
    expect(permutationLoss(recordings, gradients)).toBeCloseTo(expected.loss, 7);
    for (const [item, gradient] of gradients.entries()) expectClose(gradient, part("grad_logits", item), 1e-8);
    for (const [item, counts] of recordings.map(frameErrors).entries()) {
      const theirs = expected.items[item];
      expect(counts).toEqual({
        correct: theirs.correct,
        frames: theirs.length,
        spoken: theirs.speaker_scored,
        missed: theirs.speaker_miss,
        falseAlarms: theirs.speaker_falarm,
        confused: theirs.speaker_error,
      });
    }
  });
});

test("pooling a feature that never changes has no deviation, and no gradient that is no number", async () => {
  const config: HeadConfig = { kind: "xvector", projection: 3, hidden: 3, aggregation: 4, outputs: 2, normalizeStates: false }; // biome-ignore format: one line
  const { initHead } = await import("../../../src/superb/heads/parameters.ts");
  const head = new Head({
    config,
    input: { layers: 1, dim: 2 },
    dtype: "float32",
    parameters: initHead(config, { layers: 1, dim: 2 }, 1),
    runtime,
  });
  const still = { data: new Float32Array(2 * 20 * 2).fill(0.5), shape: [1, 2, 20, 2], frames: [20, 18] } as const;
  head.zeroGradients();
  const { logits } = await head.forward(still, { dropoutSeed: 0 });
  await head.backward(marginSoftmax(logits, [0, 1]).cotangent);
  expect(head.gradients.every(Number.isFinite)).toBe(true);
  await head.release();
});

describe.skipIf(!hasOracle)("the diarisation head", () => {
  test("logits, loss and gradients of true frames are the benchmark's", async () => {
    const of = await arrays("sd/head");
    const names = ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"].map((name) => [
      `lstm.${name}`,
      `model.rnn.${name}`,
    ]);
    names.push(["linear.weight", "model.linear.weight"], ["linear.bias", "model.linear.bias"]);
    const parameters: Parameters = new Map([[FEATURIZER, one]]);
    for (const [name, theirs] of names) parameters.set(name, of(theirs));
    const config: HeadConfig = { kind: "lstm", hidden: 16, lstmLayers: 1, outputs: 2, normalizeStates: false };
    const head = new Head({ config, input: { layers: 1, dim: 12 }, dtype: "float32", parameters, runtime });
    const input = of("batch_input");
    // the benchmark's lengths, rows that it fills with zeros included
    const frames = [30, 20, 24];
    head.zeroGradients();
    const { logits, shape } = await head.forward(batchOf(input, frames), { dropoutSeed: 0 });
    expect(shape.slice(2)).toEqual([2]);
    const time = shape[1];
    const rows = (data: Float32Array, item: number, width: number) =>
      data.subarray(item * width, item * width + 2 * frames[item]);
    const cotangent = new Float32Array(logits.length);
    const recordings = frames.map((count, item) => ({
      logits: rows(logits, item, 2 * time),
      labels: of(`labels.${item}`).data,
      frames: count,
    }));
    const loss = permutationLoss(
      recordings,
      frames.map((_, item) => rows(cotangent, item, 2 * time)),
    );
    expect(loss).toBeCloseTo(facts("sd/head").expected.batch.loss, 6);
    for (const item of frames.keys())
      expectClose(recordings[item].logits, rows(of("batch_logits").data as Float32Array, item, 60), 1e-6);
    await head.backward(cotangent);
    let at = 0;
    for (const [name, { data }] of head.parameters) {
      const theirs = names.find(([own]) => own === name);
      if (theirs) expectClose(head.gradients.subarray(at, at + data.length), of(`grad.${theirs[1]}`).data, 1e-6);
      at += data.length;
    }
    await head.release();
  });
});
