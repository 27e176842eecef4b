// Relative positions by operations that have gradients: the numbers of the table that is gathered, and finite differences.
import { expect, test } from "vitest";
import { gradients } from "../../src/autodiff/gradient.ts";
import { symbol } from "../../src/graph/dim.ts";
import * as g from "../../src/graph/ops.ts";
import { input, type Value } from "../../src/graph/value.ts";
import { relativePositionBias, trainedPositionBias } from "../../src/nn/relative-position.ts";
import { Random } from "../../src/random.ts";
import { createRuntime } from "../../src/runtime/node/index.ts";

const options = { buckets: 8, maxDistance: 6 };
const heads = 3;
const time = symbol("time");
const random = new Random(1, "embedding");
const embedding = Float32Array.from({ length: options.buckets * heads }, () => random.normal());

test("trained relative positions are the gathered ones, whole and in blocks, and their gradients finite differences", async () => {
  const table = input("embedding", [options.buckets, heads]);
  const probe = input("probe", [1, 1, time, time]);
  const gathered = relativePositionBias(table, time, options);
  const trained = trainedPositionBias(table, time, options);
  const loss = g.sumAll(g.mul(g.mul(trained(0, time), probe), trained(0, time)));
  const [gradient] = gradients(loss, [table]) as [Value];
  const outputs = {
    gathered: gathered(0, time),
    trained: trained(0, time),
    block: trained(1, 3),
    gatheredBlock: gathered(1, 3),
    loss,
    gradient,
  };
  const runtime = await createRuntime({ threads: 1, spin: false });
  const compiled = await runtime.compile({ name: "positions", outputs: new Map(Object.entries(outputs)) });
  for (const length of [3, 5, 20]) {
    const weights = Float32Array.from({ length: length ** 2 }, (_, i) => Math.sin(i));
    const run = (data: Float32Array) =>
      compiled.run({
        embedding: { shape: [options.buckets, heads], data },
        probe: { shape: [1, 1, length, length], data: weights },
      });
    const result = await run(embedding);
    expect(result.trained).toEqual(result.gathered);
    expect(result.block).toEqual(result.gatheredBlock);
    for (const i of [0, 1, 4, 11, 14, 23]) {
      const [up, down] = [1e-2, -1e-2].map((step) => embedding.map((value, at) => (at === i ? value + step : value)));
      const slope = ((await run(up)).loss.data[0] - (await run(down)).loss.data[0]) / 2e-2;
      expect(Math.abs(result.gradient.data[i] - slope)).toBeLessThan(2e-3 * (1 + Math.abs(slope)));
    }
  }
  await compiled.dispose();
});
