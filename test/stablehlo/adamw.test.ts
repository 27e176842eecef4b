// AdamW in a program against AdamW on the host, over several updates; and the guard that leaves everything as it was.
import { afterAll, beforeAll, expect, test } from "vitest";
import { LARGEST_NORM } from "../../src/distill/learner/learner.ts";
import { adamwUpdate, correctedRate, createAdamWState, decayOf } from "../../src/optim/adamw.ts";
import { Random } from "../../src/random.ts";
import type { PjrtClient } from "../../src/runtime/xla/client.ts";
import { gradientNorm, adamwUpdate as lowerUpdate } from "../../src/stablehlo/adamw.ts";
import { describeWithPlugin } from "../runtime/xla/plugin.ts";
import { floatsOf, programOf, runnable } from "./programs.ts";

const BETAS = [0.9, 0.98] as const;
const EPS = 1e-6;
const DECAY = 0.05;
const SIZES = { weight: 600, bias: 40 } as const;
const NAMES = ["weight", "bias"] as const;
const PARTS = ["w", "m", "v"] as const;

describeWithPlugin("AdamW in a program", (openClient) => {
  let client: PjrtClient;
  let program: Awaited<ReturnType<typeof runnable>>;
  beforeAll(async () => {
    client = openClient();
    program = await runnable(
      client,
      programOf((writer) => {
        const { emit } = writer;
        const argument = (name: string, parameter: (typeof NAMES)[number]) =>
          writer.argument(`${name}.${parameter}`, [SIZES[parameter]], "f32");
        const gradients = NAMES.map((name) => argument("g", name));
        const norm = gradientNorm(emit, gradients);
        const isSound = emit.compare(norm, "LT", emit.scalar(LARGEST_NORM));
        const rate = writer.argument("rate", [], "f32");
        const results = NAMES.flatMap((name, i) => {
          const state = { weight: argument("w", name), m: argument("m", name), v: argument("v", name) };
          const rule = { betas: BETAS, eps: EPS, weightDecay: decayOf(`layer.${name}`, DECAY) };
          const after = lowerUpdate(emit, state, gradients[i], { rate, isSound }, rule);
          return [
            [`w.${name}`, after.weight],
            [`m.${name}`, after.m],
            [`v.${name}`, after.v],
          ];
        });
        return { norm, ...Object.fromEntries(results) };
      }),
    );
  });
  afterAll(async () => {
    program.free();
    await client.close();
  });

  /** Weights with moments, zero at first, and what the program makes of them. */
  function fresh() {
    const random = new Random(3, "adamw");
    const arrays: Record<string, Float32Array> = {};
    for (const name of NAMES)
      for (const part of PARTS)
        arrays[`${part}.${name}`] = Float32Array.from({ length: SIZES[name] }, () =>
          part === "w" ? 0.1 * random.normal() : 0,
        );
    const gradients = () =>
      Object.fromEntries(
        NAMES.map((name) => [
          `g.${name}`,
          Float32Array.from({ length: SIZES[name] }, () => random.normal() * 10 ** (-4 * random.uniform())),
        ]),
      );
    return { arrays, gradients };
  }

  async function update(arrays: Record<string, Float32Array>, gradients: Record<string, Float32Array>, t: number) {
    const rate = Float32Array.of(correctedRate(0.01, BETAS, t));
    const results = await program.run({ ...arrays, ...gradients, rate });
    return Object.fromEntries(Object.entries(results).map(([name, bytes]) => [name, floatsOf(bytes)]));
  }

  test("does what the host does: 10 updates, decay of weights and none of biases", async () => {
    const { arrays, gradients } = fresh();
    const hosts = NAMES.map((name) => ({
      name,
      weights: arrays[`w.${name}`].slice(),
      state: createAdamWState(SIZES[name]),
    }));
    let now = arrays;
    for (let t = 1; t <= 10; t++) {
      const own = gradients();
      const { norm, ...after } = await update(now, own, t);
      now = after;
      const squares = NAMES.flatMap((name) => [...own[`g.${name}`]]).reduce((sum, x) => sum + x * x, 0);
      expect(norm[0] / Math.sqrt(squares)).toBeCloseTo(1, 6);
      for (const { name, weights, state } of hosts) {
        const decay = [{ start: 0, end: SIZES[name], weightDecay: name === "weight" ? DECAY : 0 }];
        adamwUpdate(weights, own[`g.${name}`], state, 0.01, { betas: BETAS, eps: EPS, decay });
        const largest = (list: Float32Array) => list.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
        for (const [part, expected] of Object.entries({ w: weights, m: state.m, v: state.v })) {
          const difference = expected.map((x, i) => x - now[`${part}.${name}`][i]);
          expect(largest(difference) / largest(expected), `${part}.${name}, update ${t}`).toBeLessThan(2e-6);
        }
      }
    }
  });

  test.each([
    ["NaN", [Number.NaN]],
    ["Infinity", [Number.NEGATIVE_INFINITY]],
    ["a norm of 1e19", [1e19]],
    ["squares that overflow", [2e19, 2e19]],
  ] as const)("%s in one gradient leaves everything as it was, to the bit", async (_, bad) => {
    const { arrays, gradients } = fresh();
    const { norm: _sound, ...before } = await update(arrays, gradients(), 1);
    const own = gradients();
    own["g.bias"].set(bad, 7);
    const { norm, ...after } = await update(before, own, 2);
    expect(norm[0] < LARGEST_NORM).toBe(false);
    expect(after).toEqual(before);
  });
});
