// Grouped convolutions as block Toeplitz products against their float64 reference, in one program.
import { expect, test } from "vitest";
import * as g from "../../src/graph/ops.ts";
import { input, type Value } from "../../src/graph/value.ts";
import { Random } from "../../src/random.ts";
import { toStableHlo } from "../../src/stablehlo/program.ts";
import { relativeError } from "../autodiff/finite-differences.ts";
import { evaluate, type Tensor, tabulate } from "../graph/reference.ts";
import { describeWithPlugin } from "../runtime/xla/plugin.ts";
import { floatsOf, runnable } from "./programs.ts";

/** kernel, groups, inputs and outputs of a group, time, padding: a block has 16 frames. */
const CASES = [
  [1, 2, 3, 2, 20, [0, 0]],
  [3, 2, 2, 2, 40, [1, 1]],
  [4, 3, 1, 2, 33, [2, 1]],
  [15, 2, 2, 1, 50, [7, 7]],
  [16, 2, 2, 2, 47, [8, 7]],
  [17, 4, 1, 1, 64, [8, 8]],
  [18, 2, 1, 3, 31, [9, 8]],
  [33, 2, 2, 2, 49, [16, 16]],
  [64, 2, 2, 2, 80, [32, 31]],
  [127, 2, 1, 1, 30, [63, 63]],
  [128, 2, 2, 2, 100, [64, 63]],
  // frames below a block, and one alone
  [5, 2, 2, 2, 9, [2, 2]],
  [12, 2, 2, 2, 12, [0, 0]],
  // what gradients make: padding that crops, and more of it than the kernel
  [5, 2, 2, 2, 60, [-3, 2]],
  [6, 2, 2, 2, 60, [3, -7]],
  [20, 2, 2, 2, 90, [-20, -21]],
  [4, 2, 2, 2, 21, [17, 19]],
  // a kernel as long as speech, as the gradient of a weight has it
  [60, 2, 2, 3, 65, [3, 2]],
] as const;

/** A tensor of normal numbers, exact in float32. */
function noise(random: Random, shape: readonly number[]): Tensor {
  return tabulate(shape, () => Math.fround(random.normal()));
}

describeWithPlugin("grouped convolutions", (openClient) => {
  const graphOf = () => {
    const random = new Random(11, "convolution");
    const outputs = new Map<string, Value>();
    const tensors = new Map<string, Tensor>();
    for (const [i, [kernel, groups, inputs, outs, time, padding]] of CASES.entries()) {
      const shapes = [[2, groups * inputs, time], [groups * outs, inputs, kernel], [groups * outs]];
      const operands = shapes.map((shape, k) => {
        tensors.set(`x${i}.${k}`, noise(random, shape));
        return input(`x${i}.${k}`, shape);
      });
      const [x, weight, bias] = operands;
      outputs.set(`y${i}`, g.conv1d(x, weight, i % 2 ? bias : null, { groups, padding }));
    }
    return { graph: { name: "convolutions", outputs }, tensors };
  };

  test.each([
    ["float32", 1e-6],
    ["bf16", 1.5e-2],
  ] as const)("%s: within %f of the reference", async (precision, limit) => {
    const client = openClient();
    const { graph, tensors } = graphOf();
    const program = toStableHlo(graph, new Map(), precision);
    expect(program.text).not.toContain("stablehlo.convolution");
    const { run, free } = await runnable(client, program);
    const results = await run(
      Object.fromEntries([...tensors].map(([name, { data }]) => [name, Float32Array.from(data)])),
    );
    const expected = evaluate([...graph.outputs.values()], tensors, new Map());
    for (const [i, [kernel, groups, , , time, padding]] of CASES.entries()) {
      const name = `kernel ${kernel}, ${groups} groups, ${time} samples, padding ${padding}`;
      const [shape, data] = [expected[i].shape, floatsOf(results[`y${i}`])];
      expect(shape[2], name).toBe(time + padding[0] + padding[1] - kernel + 1);
      expect(relativeError({ shape, data }, expected[i], 0.1), name).toBeLessThan(limit);
    }
    free();
    await client.close();
  });
});
