// The first GroupNorm's statistics in every precision: of loud speech a filter may keep a thousandth of what its taps weigh.
import { expect, test } from "vitest";
import { symbol } from "../../src/graph/dim.ts";
import { input, type Value } from "../../src/graph/value.ts";
import { foldGroupNorm } from "../../src/nn/features/first-layer.ts";
import { Random } from "../../src/random.ts";
import { PRECISIONS } from "../../src/stablehlo/precision.ts";
import { toStableHlo } from "../../src/stablehlo/program.ts";
import { relativeError } from "../autodiff/finite-differences.ts";
import { evaluate, type Tensor, tabulate } from "../graph/reference.ts";
import { describeWithPlugin } from "../runtime/xla/plugin.ts";
import { floatsOf, runnable } from "./programs.ts";

const [ITEMS, CHANNELS, KERNEL, SAMPLES] = [16, 64, 10, 10_000];
const window = { kernel: KERNEL, stride: 5 };

/** Filters of which half take differences, and see little of a hum. */
function tapsOf(random: Random): Tensor {
  const taps = tabulate([CHANNELS, 1, KERNEL], () => Math.fround(0.3 * random.normal()));
  for (let channel = 0; channel < CHANNELS; channel += 2) {
    const own = taps.data.subarray(channel * KERNEL, (channel + 1) * KERNEL);
    const mean = own.reduce((sum, tap) => sum + tap, 0) / KERNEL;
    own.forEach((tap, i) => {
      own[i] = Math.fround(tap - mean);
    });
  }
  return taps;
}

describeWithPlugin("convolution and GroupNorm of a loud hum", (openClient) => {
  test.each([
    ["all windows", false],
    ["own windows", true],
  ] as const)("%s", async (_, isOwn) => {
    const random = new Random(3, "first layer");
    const batch = symbol("batch");
    const tensors = new Map<string, Tensor>([
      ["wave", tabulate([ITEMS, SAMPLES], ([, i]) => Math.round(30_000 * Math.sin(i / 12)) / 32_768)],
      ["conv.weight", tapsOf(random)],
      ["layer_norm.weight", tabulate([CHANNELS], () => 1)],
      ["layer_norm.bias", tabulate([CHANNELS], () => 0)],
    ]);
    const inputs = new Map<string, Value>();
    const of = (name: string) => {
      const { shape } = tensors.get(name) as Tensor;
      const value = inputs.get(name) ?? input(name, name === "wave" ? [batch, SAMPLES] : shape);
      inputs.set(name, value);
      return value;
    };
    const lengths = input("lengths", [batch], "int64");
    tensors.set(
      "lengths",
      tabulate([ITEMS], ([item]) => SAMPLES - 100 * item),
    );
    const folded = foldGroupNorm(of, of("wave"), window, isOwn ? lengths : null);
    const graph = { name: "first", outputs: new Map([["folded", folded]]) };
    const sizes = new Map([["batch", ITEMS]]);
    const [expected] = evaluate([folded], tensors, sizes);
    const client = openClient();
    for (const precision of PRECISIONS) {
      const { run, free } = await runnable(client, toStableHlo(graph, sizes, precision));
      const feeds = [...tensors].map(([name, { data }]) => [
        name,
        name === "lengths" ? BigInt64Array.from(data, BigInt) : Float32Array.from(data),
      ]);
      const { folded: bytes } = await run(Object.fromEntries(feeds));
      const error = relativeError({ shape: expected.shape, data: floatsOf(bytes) }, expected, 0.1);
      expect(error, precision).toBeLessThan(precision === "float32" || precision === "tf32" ? 2e-3 : 2e-2);
      free();
    }
    await client.close();
  });
});
