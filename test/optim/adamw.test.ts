// AdamW and its schedule against weights recorded from the original code, and against a float64 reference.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import type { HostArray, Parameters } from "../../src/graph/array.ts";
import { adamwUpdate, checkAdamWOptions, createAdamWState, decayRanges } from "../../src/optim/adamw.ts";
import { warmupLinear } from "../../src/optim/schedule.ts";
import { Random } from "../../src/random.ts";

const cases = fileURLToPath(new URL("../../../shared/oracle/distillation/", import.meta.url));

/** Float64 tensors of a recorded case by name. */
function readCase(folder: string) {
  const config = JSON.parse(readFileSync(`${folder}/config.json`, "utf8"));
  const bytes = readFileSync(`${folder}/data.safetensors`);
  const headerBytes = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, 8 + headerBytes).toString("utf8"));
  const tensor = (name: string): Float64Array => {
    const [start, end] = header[name].data_offsets;
    const at = bytes.byteOffset + 8 + headerBytes;
    return new Float64Array(bytes.buffer.slice(at + start, at + end));
  };
  const names = Object.keys(header).filter((name) => name.startsWith("grad."));
  return { config, tensor, names: names.map((name) => name.slice(5)) };
}

const tree = (arrays: [string, number][]): Parameters =>
  new Map(arrays.map(([name, size]): [string, HostArray] => [name, { shape: [size], data: new Float32Array(size) }]));

describe("AdamW against the original code", () => {
  const found = existsSync(cases) ? readdirSync(cases) : [];
  if (found.length === 0) {
    console.warn(`skipped: no recorded cases at ${cases}`);
    test.skip("recorded cases are absent", () => {});
  }
  test.each(found)("%s: weights after one step", (name) => {
    const { config, tensor, names } = readCase(`${cases}/${name}`);
    const { lr, betas, eps, total_steps, warmup_proportion } = config.optimizer;
    const size = names.reduce((sum, n) => sum + tensor(`grad.${n}`).length, 0);
    const weights = new Float32Array(size);
    const gradients = new Float32Array(size);
    const expected = new Float64Array(size);
    let at = 0;
    for (const n of names) {
      gradients.set(tensor(`grad.${n}`), at);
      weights.set(tensor(`student.${n}`), at);
      expected.set(tensor(`after1.${n}`), at);
      at += tensor(`grad.${n}`).length;
    }
    const before = weights.slice();
    const decay = decayRanges(tree(names.map((n) => [n, tensor(`grad.${n}`).length])), 0.01);
    expect(new Set(decay.map((range) => range.weightDecay))).toEqual(new Set([0, 0.01]));
    const rate = lr * warmupLinear(1, { totalSteps: total_steps, warmupFraction: warmup_proportion });
    adamwUpdate(weights, gradients, createAdamWState(size), rate, { betas, eps, decay });
    let worst = 0;
    let moved = 0;
    for (let i = 0; i < size; i++) {
      worst = Math.max(worst, Math.abs(weights[i] - expected[i]) / (1 + Math.abs(expected[i])));
      moved = Math.max(moved, Math.abs(weights[i] - before[i]));
    }
    expect(moved).toBeGreaterThan(5e-4);
    expect(worst).toBeLessThan(1e-6);
  });
});

test("many updates follow the formula in float64", () => {
  const random = new Random(3, "adamw");
  const size = 7;
  const parameters = tree([
    ["a.weight", 3],
    ["a.bias", 2],
    ["b.weight_g", 2],
  ]);
  const decay = decayRanges(parameters, 0.1);
  expect(decay).toEqual([
    { start: 0, end: 3, weightDecay: 0.1 },
    { start: 3, end: 5, weightDecay: 0 },
    { start: 5, end: 7, weightDecay: 0.1 },
  ]);
  const weights = Float32Array.from({ length: size }, () => random.normal());
  const p = [...weights];
  const m = p.map(() => 0);
  const v = p.map(() => 0);
  const state = createAdamWState(size);
  const options = { betas: [0.9, 0.98] as const, eps: 1e-6, decay };
  for (let t = 1; t <= 50; t++) {
    const gradients = Float32Array.from({ length: size }, () => random.normal() * 0.1);
    const rate = 1e-2 / t;
    adamwUpdate(weights, gradients, state, rate, options);
    for (let i = 0; i < size; i++) {
      m[i] = 0.9 * m[i] + 0.1 * gradients[i];
      v[i] = 0.98 * v[i] + 0.02 * gradients[i] ** 2;
      const wd = i === 3 || i === 4 ? 0 : 0.1;
      const correction = Math.sqrt(1 - 0.98 ** t) / (1 - 0.9 ** t);
      p[i] = p[i] - rate * correction * (m[i] / (Math.sqrt(v[i]) + 1e-6) + wd * p[i]);
    }
  }
  expect(state.t).toBe(50);
  for (let i = 0; i < size; i++) expect(Math.abs(weights[i] - p[i])).toBeLessThan(1e-5);
});

test("merges neighbours, refuses gaps, wrong lengths and impossible options", () => {
  const merged = decayRanges(
    tree([
      ["x", 2],
      ["y", 3],
    ]),
    0.5,
  );
  expect(merged).toEqual([{ start: 0, end: 5, weightDecay: 0.5 }]);
  const options = { betas: [0.9, 0.98] as const, eps: 1e-6, decay: [{ start: 1, end: 2, weightDecay: 0 }] };
  const two = new Float32Array(2);
  expect(() => adamwUpdate(two, two, createAdamWState(2), 1, options)).toThrow(/gap/);
  expect(() => adamwUpdate(two, two, createAdamWState(2), 1, { ...options, decay: [] })).toThrow(/cover 0 of 2/);
  expect(() => adamwUpdate(two, two, createAdamWState(3), 1, options)).toThrow(/length/);
  expect(() => checkAdamWOptions({ ...options, betas: [1, 0.9] })).toThrow(/betas\[0\]/);
  expect(() => checkAdamWOptions({ ...options, eps: 0 })).toThrow(/eps/);
  const negative = [{ start: 0, end: 2, weightDecay: Number.NaN }];
  expect(() => checkAdamWOptions({ ...options, decay: negative })).toThrow(/decay/);
});
