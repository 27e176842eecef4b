// Parameters of heads: PyTorch's names, shapes and initial ranges, counts of the benchmark's heads, shares of layers.
import { describe, expect, test } from "vitest";
import type { HeadConfig } from "../../../src/superb/heads/config.ts";
import { headParameterCount, headParameters, initHead, layerWeights } from "../../../src/superb/heads/parameters.ts";

const base = { layers: 13, dim: 768 };
const frames: HeadConfig = { kind: "frames", projection: 256, outputs: 74, normalizeStates: false };
const utterance: HeadConfig = { kind: "utterance", projection: 256, outputs: 12, normalizeStates: false };
const bilstm: HeadConfig = {
  kind: "bilstm",
  projection: 1024,
  outputs: 32,
  normalizeStates: false,
  hidden: 1024,
  lstmLayers: 2,
  dropout: 0.2,
  stack: 1,
};

describe("sizes", () => {
  test("of the benchmark's heads", () => {
    // layer weights, then weights and biases of the linear layers
    expect(headParameterCount(frames, base)).toBe(13 + (768 + 1) * 256 + (256 + 1) * 74);
    expect(headParameterCount(utterance, base)).toBe(13 + (768 + 1) * 256 + (256 + 1) * 12);
    // PyTorch counts them: nn.LSTM(1024, 1024, 2, bidirectional=True)
    const lstm = 41_975_808;
    expect(headParameterCount(bilstm, base)).toBe(13 + 769 * 1024 + lstm + 2049 * 32);
    // counted in the benchmark's own code, with 1211 speakers
    const voices = { kind: "xvector", projection: 512, hidden: 512, aggregation: 1500, outputs: 1211 } as const;
    expect(headParameterCount({ ...voices, normalizeStates: false }, base)).toBe(13 + 6_730_204);
    const turns = { kind: "lstm", hidden: 512, lstmLayers: 1, outputs: 2, normalizeStates: false } as const;
    expect(headParameterCount(turns, base)).toBe(13 + 2_626_562);
  });

  test("names and shapes are PyTorch's; stacked frames widen the first layer alone", () => {
    const small = { ...bilstm, projection: 5, hidden: 3, stack: 2, outputs: 4 };
    const shapes = Object.fromEntries(
      headParameters(small, { layers: 2, dim: 7 }).map(({ name, shape }) => [name, shape]),
    );
    const layer = (suffix: string, width: number) => ({
      [`lstm.weight_ih_${suffix}`]: [12, width],
      [`lstm.weight_hh_${suffix}`]: [12, 3],
      [`lstm.bias_ih_${suffix}`]: [12],
      [`lstm.bias_hh_${suffix}`]: [12],
    });
    expect(shapes).toEqual({
      "featurizer.weights": [2],
      "projector.weight": [5, 7],
      "projector.bias": [5],
      ...layer("l0", 10),
      ...layer("l0_reverse", 10),
      ...layer("l1", 6),
      ...layer("l1_reverse", 6),
      "linear.weight": [4, 6],
      "linear.bias": [4],
    });
  });
});

describe("initial weights", () => {
  test("fill PyTorch's ranges evenly; layer weights are zero", () => {
    const parameters = initHead({ ...bilstm, projection: 64, hidden: 25, outputs: 30 }, { layers: 3, dim: 400 }, 5);
    expect([...parameters.get("featurizer.weights")!.data]).toEqual([0, 0, 0]);
    const bounds: Record<string, number> = {
      "projector.weight": 1 / 20,
      "projector.bias": 1 / 20,
      "lstm.weight_ih_l0": 1 / 5,
      "lstm.weight_hh_l1_reverse": 1 / 5,
      "lstm.bias_hh_l1": 1 / 5,
      "linear.weight": 1 / Math.sqrt(50),
    };
    for (const [name, bound] of Object.entries(bounds)) {
      const { data } = parameters.get(name)!;
      const [mean, square] = [0, 0].map(
        (_, i) => data.reduce((sum, x) => sum + (x / bound) ** (i + 1), 0) / data.length,
      );
      expect(
        data.every((value) => Math.abs(value) <= bound),
        name,
      ).toBe(true);
      // of a uniform distribution: mean 0, mean square 1/3, with standard errors 0.58 and 0.3 over sqrt(n)
      expect(Math.abs(mean!), name).toBeLessThan(2.5 / Math.sqrt(data.length));
      expect(Math.abs(square! - 1 / 3), name).toBeLessThan(1.3 / Math.sqrt(data.length));
    }
  });

  test("initial weights are the seed's, each parameter's its own", () => {
    const of = (seed: number) => initHead(frames, { layers: 2, dim: 8 }, seed);
    expect([...of(1)]).toEqual([...of(1)]);
    const [one, two] = [of(1), of(2)].map((parameters) => parameters.get("projector.weight")!.data);
    expect(one!.some((value, i) => value === two![i])).toBe(false);
    // wider outputs leave the projector as it is
    const wider = initHead({ ...frames, outputs: 99 }, { layers: 2, dim: 8 }, 1);
    expect(wider.get("projector.weight")).toEqual(of(1).get("projector.weight"));
  });
});

test("layer weights are the softmax", () => {
  const parameters = initHead(frames, { layers: 3, dim: 4 }, 0);
  expect(layerWeights(parameters)).toEqual([1 / 3, 1 / 3, 1 / 3]);
  parameters.get("featurizer.weights")!.data.set([Math.log(1), Math.log(3), Math.log(4)]);
  const [a, b, c] = layerWeights(parameters);
  expect([a, b, c]).toEqual([expect.closeTo(1 / 8, 6), expect.closeTo(3 / 8, 6), expect.closeTo(4 / 8, 6)]);
  parameters.get("featurizer.weights")!.data.set([1000, 0, -1000]);
  expect(layerWeights(parameters)).toEqual([1, 0, 0]);
});
