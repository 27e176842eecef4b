// Layers of a teacher as the beginning of a student: which, and what is refused.
import { describe, expect, test } from "vitest";
import type { ModelConfig } from "../../src/models/config.ts";
import { copyLayers } from "../../src/models/copy-layers.ts";
import { initParameters } from "../../src/models/init.ts";
import { teacherConfig } from "../distill/learner/tiny.ts";

const teacher = teacherConfig({ layers: 3, attentionFrom: [0, 1, 2] });
const source = { config: teacher, parameters: initParameters(teacher, { seed: 1 }) };

function copied(changes: Partial<ModelConfig>, layers: readonly number[], input = false) {
  const config = { ...teacher, family: "student" as const, headDim: 16, headLayers: [0], ...changes };
  const fresh = initParameters(config, { seed: 2 });
  const parameters = new Map([...fresh].map(([name, { shape, data }]) => [name, { shape, data: data.slice() }]));
  copyLayers(config, parameters, source, { layers, input });
  const changed = [...parameters].filter(([name, { data }]) => data.join() !== fresh.get(name)?.data.join());
  return { parameters, changed: changed.map(([name]) => name) };
}

describe("what is copied", () => {
  test("the teacher's layers that are named, into the student's first", () => {
    const { parameters, changed } = copied({ layers: 2, attentionFrom: [0, 1] }, [2]);
    for (const part of ["attention.q_proj.weight", "feed_forward.output_dense.weight"])
      expect(parameters.get(`encoder.layers.0.${part}`)).toEqual(source.parameters.get(`encoder.layers.2.${part}`));
    expect(changed.every((name) => name.startsWith("encoder.layers.0."))).toBe(true);
    expect(changed.length).toBeGreaterThan(0);
  });

  test("a layer that takes a map over has no queries and keys to copy", () => {
    const { parameters } = copied({ attentionFrom: [0, 0, 2] }, [0, 1, 2]);
    expect(parameters.has("encoder.layers.1.attention.q_proj.weight")).toBe(false);
    for (const layer of [0, 1, 2]) {
      const name = `encoder.layers.${layer}.attention.v_proj.weight`;
      expect(parameters.get(name)).toEqual(source.parameters.get(name));
    }
  });

  test("what stands before the layers, where it is asked for", () => {
    const { changed } = copied({}, [], true);
    expect(changed).toContain("masked_spec_embed");
    expect(changed).toContain("feature_projection.projection.weight");
    expect(changed).toContain("encoder.pos_conv_embed.conv.weight_v");
    expect(changed.some((name) => name.startsWith("encoder.layers.") || name.startsWith("heads."))).toBe(false);
  });
});

test.each([
  [{ ffnDim: 20 }, [0], "encoder.layers.0.feed_forward.intermediate_dense.weight is [20, 16] in the student and [24, 16] in the teacher"],
  [{ ffnDim: 20 }, [2], "encoder.layers.0.feed_forward.intermediate_dense.weight (from encoder.layers.2.feed_forward.intermediate_dense.weight)"],
  [{ heads: 4 }, [0], "heads is 4 in the student and 2 in the teacher"],
  [{ normFirst: true }, [0], "normFirst is true in the student and false in the teacher"],
  [{}, [3], "the teacher has layers 0 to 2, not 3"],
  [{ layers: 2, attentionFrom: [0, 1] }, [0, 1, 2], "the number of layers is 2 in the student"],
] as const)("%o, %o is refused by name", (changes, layers, message) => {
  expect(() => copied(changes, layers)).toThrow(message);
}); // biome-ignore format: a table

test("a positional convolution of another shape is refused by name", () => {
  expect(() => copied({ posConv: { kernel: 5, groups: 2 } }, [], true)).toThrow(
    "encoder.pos_conv_embed.conv.weight_g is [1, 1, 5] in the student and [1, 1, 6] in the teacher",
  );
});
