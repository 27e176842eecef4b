// Every objective: gradients by finite differences in float64, and losses of the same formulas in PyTorch (make_objectives.py).
import { describe, expect, test } from "vitest";
import { gradients } from "../../../src/autodiff/gradient.ts";
import { cosineObjective } from "../../../src/distill/objectives/cosine.ts";
import { gramObjective } from "../../../src/distill/objectives/gram.ts";
import { layersObjective } from "../../../src/distill/objectives/layers.ts";
import type { Objective, TeacherStates } from "../../../src/distill/objectives/objective.ts";
import { unitsObjective } from "../../../src/distill/objectives/units.ts";
import { reachableNodes } from "../../../src/graph/value.ts";
import { finiteDifferences, relativeError } from "../../autodiff/finite-differences.ts";
import { evaluate } from "../../graph/reference.ts";
import { traceObjective, WIDTH } from "./lesson.ts";

const states = (...layers: number[]): TeacherStates => ({ teacher: 0, layers, pass: "full", dim: WIDTH.teacher });
const heads = [states(0), states(1), states(2)];
const loss = { hintWeight: 0.1, lastWeight: 1 } as const;
const predicted = { weight: 1, l1Weight: 1, cosineWeight: 0.7, dim: WIDTH.student } as const;
const gram = {
  name: "gram",
  weight: 1,
  layerWeight: 1,
  intraWeight: 0.5,
  overWidth: true,
  layers: [
    { student: 0, teacher: 0 },
    { student: 2, teacher: 2 },
  ],
  from: { teacher: 0, pass: "full", dim: WIDTH.teacher },
} as const;

const OBJECTIVES: Readonly<Record<string, Objective>> = {
  "layers, mse": layersObjective({ kind: "mse", ...loss }, heads),
  "layers, l1": layersObjective({ kind: "l1", ...loss }, heads),
  "cosine, all heads on the last layer": cosineObjective({
    ...predicted,
    name: "cosine",
    predictions: [0, 1].map((layer) => ({ from: [2], states: states(layer) })),
  }),
  groups: cosineObjective({
    ...predicted,
    name: "groups",
    predictions: [
      { from: [-1, 0], states: states(-1, 0, 1) },
      { from: [1, 2], states: states(2, 3) },
    ],
  }),
  gram: gramObjective(gram),
  "gram as published": gramObjective({ ...gram, overWidth: false }),
  "gram of layers alone": gramObjective({ ...gram, intraWeight: 0 }),
  units: unitsObjective({
    clusters: 4,
    dim: WIDTH.student,
    projectionDim: 2,
    temperature: 0.1,
    maskedWeight: 1,
    unmaskedWeight: 0.25,
    featurePenalty: 3,
  }),
};

/** Loss, and norm of its gradient for states and parameters, in the first of VARIANTS: make_objectives.py prints them. */
const EXPECTED: Readonly<Record<string, readonly [loss: number, norm: number]>> = {
  "layers, mse": [1.304442199749, 0.372237732266],
  "layers, l1": [1.030820747904, 0.178535710714],
  "cosine, all heads on the last layer": [1.377473120187, 0.298132171593],
  groups: [1.304251251349, 0.2535963917],
  gram: [0.251704292141, 0.13564365512],
  "gram as published": [3.109186995126, 1.190195784151],
  "gram of layers alone": [0.273247924594, 0.15398776245],
  units: [4.958975040452, 3.708981646042],
};

const VARIANTS = [
  { padded: true, masked: true },
  { padded: false, masked: false },
  { padded: true, masked: true, countPaddedFrames: true },
] as const;

describe.each(Object.entries(OBJECTIVES))("%s", (name, objective) => {
  test("loss and gradient are PyTorch's", () => {
    const { loss, inputs, feeds, sizes } = traceObjective(objective, VARIANTS[0]);
    const learning = [...inputs].filter(([key]) => !key.startsWith("target."));
    const slopes = gradients(
      loss,
      learning.map(([, value]) => value),
    );
    const [total, ...found] = evaluate([loss, ...slopes], feeds, sizes);
    const squares = found.map(({ data }) => data.reduce((sum, value) => sum + value * value, 0));
    const [expected, norm] = EXPECTED[name];
    // weights are float32
    expect(Math.abs(total.data[0] / expected - 1)).toBeLessThan(1e-6);
    expect(Math.abs(Math.sqrt(squares.reduce((a, b) => a + b, 0)) / norm - 1)).toBeLessThan(1e-6);
  });

  test.each(VARIANTS)("gradients are those of finite differences: %o", (variant) => {
    const { loss, inputs, feeds, sizes } = traceObjective(objective, variant);
    const read = new Set(reachableNodes([loss]));
    const targets = [...inputs].filter(([, value]) => read.has(value.node));
    const found = evaluate(
      gradients(
        loss,
        targets.map(([, value]) => value),
      ),
      feeds,
      sizes,
    );
    for (const [i, [name]] of targets.entries()) {
      const slopes = finiteDifferences(loss, name, feeds, sizes, 1e-4);
      expect(relativeError(found[i], slopes, 1e-3), name).toBeLessThan(1e-6);
    }
  });

  test("the loss is what its terms and weights come to", () => {
    const { loss, terms, feeds, sizes } = traceObjective(objective, VARIANTS[0]);
    const [total, ...values] = evaluate([loss, ...terms.values()], feeds, sizes);
    const sum = objective.terms.flatMap(({ weights }, i) => weights.map((weight, k) => weight * values[i].data[k]));
    expect(values.map(({ shape }) => shape)).toEqual(objective.terms.map(({ weights }) => [weights.length]));
    expect(total.data[0]).toBeCloseTo(
      sum.reduce((a, b) => a + b, 0),
      6,
    );
  });
});
