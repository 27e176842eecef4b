// Holds a runtime against the op table: values, shapes and gradients. Every runtime's test file calls `runOpCases`.
import { beforeAll, describe, expect, test } from "vitest";
import { gradients } from "../../src/autodiff/gradient.ts";
import { floatsToHalves } from "../../src/checkpoint/formats/dtypes.ts";
import type { DType } from "../../src/graph/array.ts";
import type { Shape } from "../../src/graph/dim.ts";
import { evaluateDim, evaluateShape, SymbolicDim } from "../../src/graph/dim.ts";
import * as g from "../../src/graph/ops.ts";
import type { Value } from "../../src/graph/value.ts";
import { input, reachableNodes } from "../../src/graph/value.ts";
import { Random } from "../../src/random.ts";
import type { Feed, Runtime } from "../../src/runtime/runtime.ts";
import { finiteDifferences, relativeError } from "../autodiff/finite-differences.ts";
import type { CaseInput, OpCase } from "../graph/op-cases.ts";
import { CASE_SIZES, NO_GRADIENT, OP_CASES } from "../graph/op-cases.ts";
import type { Sizes, Tensor } from "../graph/reference.ts";
import { evaluate, sizesOf } from "../graph/reference.ts";

/** Largest differences allowed, relative to the largest value of the expected tensor. */
export interface Tolerances {
  readonly value: number;
  readonly gradient: number;
}

export const EXACT: Tolerances = { value: 1e-6, gradient: 1e-5 };

/** Host data of a tensor in the type of its input. */
export function toFeed({ shape, data }: Tensor, dtype: DType = "float32"): Feed {
  if (dtype === "float32") return { shape, data: Float32Array.from(data) };
  if (dtype === "int64") return { shape, data: BigInt64Array.from(Array.from(data, BigInt)) };
  if (dtype === "float16") return { shape, data: floatsToHalves(Float32Array.from(data)) };
  return { shape, data: Uint8Array.from(data) };
}

function draw(spec: CaseInput, random: Random, sizes: Sizes): Tensor {
  const shape = evaluateShape(spec.shape, sizes);
  const count = shape.reduce((a, b) => a * b, 1);
  return { shape, data: Float64Array.from(spec.draw(random, count, evaluateDim(spec.limit ?? 0, sizes))) };
}

/** The case as one graph: outputs as float32, a random functional of the first as loss, and the loss's gradients. */
export function traceCase(opCase: OpCase) {
  const specs: CaseInput[] = [...opCase.inputs];
  const inputs = specs.map((spec, i) => input(`x${i}`, spec.shape, spec.dtype));
  const built = opCase.build(...inputs);
  const values: readonly Value[] = Array.isArray(built) ? built : [built as Value];
  const outputs = new Map(values.map((value, i) => [`y${i}`, g.cast(value, "float32")]));
  let loss: Value | undefined;
  const targets = new Map<string, Value>();
  if (opCase.gradient !== false && values[0].dtype === "float32" && !NO_GRADIENT.has(opCase.op)) {
    const functional: CaseInput = {
      shape: values[0].shape,
      dtype: "float32",
      draw: (random, count) => Array.from({ length: count }, () => Math.fround(random.normal())),
    };
    inputs.push(input(`x${specs.length}`, functional.shape));
    loss = g.sumAll(g.mul(values[0], inputs.at(-1)!));
    const used = new Set(reachableNodes([loss]));
    inputs.slice(0, specs.length).forEach((value, i) => {
      if (value.dtype === "float32" && used.has(value.node)) targets.set(`x${i}`, value);
    });
    specs.push(functional);
    outputs.set("loss", loss);
    const cotangents = gradients(loss, [...targets.values()]);
    [...targets.keys()].forEach((name, i) => {
      outputs.set(`d_${name}`, cotangents[i]);
    });
  }
  return { specs, values, outputs, loss, targets };
}

const isSymbolic = (shape: Shape) => shape.some((dim) => dim instanceof SymbolicDim);

/**
 * One test for every case of the table on a runtime. The gradients that it is held against are themselves held against finite
 * differences where `slopes` says so, which one runtime is enough for.
 */
export function runOpCases(
  title: string,
  createRuntime: () => Promise<Runtime>,
  { value, gradient: slope, slopes = false }: Tolerances & { readonly slopes?: boolean } = EXACT,
): void {
  describe(`ops on ${title}`, () => {
    let runtime: Runtime;
    beforeAll(async () => {
      runtime = await createRuntime();
    });
    test.each(OP_CASES.map((opCase) => [`${opCase.op}: ${opCase.name}`, opCase] as const))(
      "%s",
      async (name, opCase) => {
        const { specs, outputs, loss, targets } = traceCase(opCase);
        const used = reachableNodes([...outputs.values()]);
        expect(used.some((node) => node.op === opCase.op)).toBe(true);
        const executable = await runtime.compile({ name: "case", outputs });
        const symbolic = specs.some((spec) => isSymbolic(spec.shape));
        for (const caseSizes of symbolic ? CASE_SIZES : CASE_SIZES.slice(0, 1)) {
          const sizes = sizesOf(caseSizes);
          const random = new Random(1, name, JSON.stringify(caseSizes));
          const tensors = new Map(specs.map((spec, i) => [`x${i}`, draw(spec, random, sizes)]));
          const feeds = Object.fromEntries(
            specs.map((spec, i) => [`x${i}`, toFeed(tensors.get(`x${i}`)!, spec.dtype)]),
          );
          const results = await executable.run(feeds);
          const expected = evaluate([...outputs.values()], tensors, sizes);
          [...outputs.keys()].forEach((output, i) => {
            const limit = output.startsWith("y") ? value : slope;
            // The loss is a sum of both signs: it is held against the largest term.
            if (output === "loss") return;
            expect(relativeError(results[output], expected[i], 0.1), `${output} at ${JSON.stringify(caseSizes)}`).toBeLessThan(limit); // biome-ignore format: one line
          });
          for (const target of slopes ? targets.keys() : []) {
            const differences = finiteDifferences(loss!, target, tensors, sizes);
            const gradient = expected[[...outputs.keys()].indexOf(`d_${target}`)];
            expect(relativeError(gradient, differences), `d_${target} by finite differences`).toBeLessThan(1e-6);
          }
        }
        await executable.dispose();
      },
    );
  });
}
