// Which attention becomes a fused kernel, and how that is called.
import { expect, test } from "vitest";
import { validationProgram } from "../../src/distill/learner/program.ts";
import { studentGraph } from "../../src/distill/step.ts";
import { targetGraph } from "../../src/distill/targets.ts";
import type { Graph } from "../../src/graph/graph.ts";
import { type NodeOf, reachableNodes, type Value } from "../../src/graph/value.ts";
import type { ModelConfig } from "../../src/models/config.ts";
import { countReads, findAttention } from "../../src/stablehlo/attention.ts";
import { NO_DROPOUT, teacherConfig, tinyRecipe } from "../distill/learner/tiny.ts";
import { describeWithPlugin } from "../runtime/xla/plugin.ts";
import { programOptions } from "./steps.ts";

const VARIANT = { training: true, masked: true, padded: true, keysInProduct: false };

/** Every attention that is found in a graph. */
function found({ outputs }: Graph) {
  const nodes = reachableNodes([...outputs.values()]);
  const reads = countReads(nodes, outputs.values());
  const products = nodes.filter((node): node is NodeOf<"matmul"> => node.op === "matmul");
  return products.flatMap((node) => findAttention(node, reads) ?? []);
}

const teacher = (changes: Partial<ModelConfig> = {}, variant: Partial<typeof VARIANT> = {}) =>
  targetGraph(
    teacherConfig(changes),
    {
      wanted: [0, 1].map((layer) => ({ teacher: 0, layers: [layer], pass: "mixed", dim: 16 })),
      givesConv: false,
    },
    { ...VARIANT, ...variant },
  );

test("a teacher's is found in every layer, in training and validation, with the bias of its keys", () => {
  for (const training of [true, false]) {
    const all = found(teacher({}, { training, masked: training }));
    expect(all).toHaveLength(2);
    for (const { query, key, values, bias, alpha } of all) {
      for (const { shape } of [query, key, values]) expect([shape.length, shape[1], shape[3]]).toEqual([4, 2, 8]);
      expect(bias.shape.slice(1, 3)).toEqual([1, 1]);
      expect(bias.shape[0]).toBe(query.shape[0]);
      expect(alpha).toBeCloseTo(1 / Math.sqrt(8), 12);
    }
  }
});

test("none is where a bias differs between heads, or there is none", () => {
  expect(found(teacher({ relativePosition: { buckets: 8, maxDistance: 16 } }))).toEqual([]);
  expect(found(teacher({}, { padded: false }))).toEqual([]);
});

test("none is where the map is an output, or scores are", () => {
  const graph = teacher();
  const nodes = reachableNodes([...graph.outputs.values()]);
  const maps = nodes.filter((node) => node.op === "softmax");
  expect(maps).toHaveLength(2);
  const sum = maps[0].inputs[0];
  for (const value of [maps[0].outputs[0], sum, sum.node.inputs[0] as Value]) {
    const outputs = new Map([...graph.outputs, ["read", value]]);
    expect(found({ name: "read", outputs })).toHaveLength(1);
  }
});

test("none is in a student's training, whose backward pass and dropout read the map; nor where layers share it", () => {
  const student = (set: string[], training: boolean) => {
    const options = programOptions(tinyRecipe(set), teacherConfig());
    return found(studentGraph(options.student, options, { ...VARIANT, training, masked: training }).graph);
  };
  expect(student([], true)).toEqual([]);
  expect(student([NO_DROPOUT], true)).toEqual([]);
  expect(student([], false)).toEqual([]);
  expect(student(["student.attentionFrom=none"], true)).toEqual([]);
  // without reuse, dropout and gradient nobody reads it
  expect(student(["student.attentionFrom=none"], false)).toHaveLength(2);
});

describeWithPlugin("the call of the kernel", (openClient) => {
  /** Long enough for queries that are kept as halves. */
  const shape = { items: 4, samples: 5 + 20 * 4096, pcm: false };
  const textFor = (precision: "float32" | "bf16" | "fp16", platform: string) =>
    validationProgram(programOptions(tinyRecipe(), teacherConfig(), { precision, platform }), shape).text;

  test("is there for halves on CUDA alone, and is refused on the CPU for its name, not for its form", async () => {
    const calls = (text: string) => text.split("\n").filter((line) => line.includes("stablehlo.custom_call"));
    for (const [precision, platform] of [
      ["float32", "cuda"],
      ["bf16", "cpu"],
      ["fp16", "tpu"],
    ] as const)
      expect(calls(textFor(precision, platform))).toEqual([]);
    const client = openClient();
    for (const [precision, type] of [
      ["bf16", "BF16"],
      ["fp16", "F16"],
    ] as const) {
      const text = textFor(precision, "cuda");
      expect(calls(text)).toHaveLength(2);
      for (const call of calls(text)) {
        // the configuration is JSON in a string of MLIR
        const [, quoted] = call.match(/backend_config = ("(?:[^"\\]|\\.)*")/) ?? [];
        const { cudnn_fmha_backend_config: config } = JSON.parse(JSON.parse(quoted));
        expect(config.fmha_scale).toBeCloseTo(1 / Math.sqrt(8), 12);
        const map = config.intermediate_tensor_shape;
        expect([map.element_type, map.dimensions]).toEqual([type, ["4", "2", "4096", "4096"]]);
        expect(call).toContain(`tensor<4x4096x2x8x${type.toLowerCase()}>`);
      }
      const refusal = await client.compile(text).then(
        () => "compiled",
        (error: Error) => error.message,
      );
      expect(refusal).toMatch(/No registered implementation for (untyped )?custom call/);
      expect(refusal).toContain("__cudnn$fmhaScaleBiasSoftmax");
    }
    await client.close();
  });
});
