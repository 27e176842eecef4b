// Names and configurations of the official code: what the recorded distillation cases need to be replayed.
import { existsSync, readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import {
  canonicalFromFairseq,
  configFromFairseq,
  configFromHuggingFace,
  configFromOfficialStudent,
  fairseqName,
  fromFairseqNames,
  readSafetensors,
  type TeacherKind,
  toFairseqNames,
} from "../../../src/checkpoint/index.ts";
import { huggingFaceFields } from "../../../src/checkpoint/read/config/huggingface.ts";
import { type ModelConfig, noReuse, reuseEvery } from "../../../src/models/config.ts";
import { parameterSpecs } from "../../../src/models/parameters.ts";

const root = fileURLToPath(new URL("../../../../shared/oracle/distillation/", import.meta.url));
const present = existsSync(root);
if (!present) console.warn(`skipped: no recorded distillation cases at ${root}`);

describe.skipIf(!present)("recorded distillation cases", () => {
  for (const name of present ? readdirSync(root) : [])
    test(`${name}: every tensor of student and teacher has its name and shape`, async () => {
      const described = JSON.parse(await readFile(`${root}${name}/config.json`, "utf8"));
      const student = configFromOfficialStudent(described.student, described.student_model);
      const teacher = configFromFairseq(described.teacher, described.teacher_kind as TeacherKind);
      expect(student.reuse).toBe("official");
      expect(student.attentionFrom).toEqual(described.student_model === "armhubert" ? reuseEvery(2, 4) : noReuse(4));
      expect(teacher.relativePosition).toEqual(
        described.teacher_kind === "wavlm" ? { buckets: 32, maxDistance: 20 } : null,
      );
      const file = await readSafetensors(`${root}${name}/data.safetensors`);
      await file.close();
      for (const [config, prefix] of [
        [student, "student."],
        [teacher, "teacher."],
        [student, "after1."],
      ] as const) {
        const named = fromFairseqNames(file.tensors, config, { prefix });
        expect([...named].map(([key, { shape }]) => ({ name: key, shape }))).toEqual(parameterSpecs(config));
      }
      // The student has no tensor that we do not know.
      const known = new Set([
        ...toFairseqNames(fromFairseqNames(file.tensors, student, { prefix: "student." }), student, "student.").keys(),
      ]);
      const recorded = [...file.tensors.keys()].filter((key) => /^student\.(?!attn_map)/.test(key));
      expect(new Set(recorded)).toEqual(known);
    });
});

const base: ModelConfig = configFromFairseq({}, "hubert");

describe("names", () => {
  const configs: [string, ModelConfig][] = [
    ["base", base],
    ["large", { ...base, convNorm: "layer", convBias: true, normFirst: true }],
    ["wavlm", { ...base, relativePosition: { buckets: 320, maxDistance: 800 } }],
    ["student", { ...base, headDim: 768, headLayers: [0, 11], attentionFrom: reuseEvery(2, 12) }],
  ];
  for (const [name, config] of configs)
    test(`of a ${name} model survive the way to fairseq and back`, () => {
      const names = parameterSpecs(config).map((spec) => spec.name);
      const theirs = names.map((own) => fairseqName(own, config));
      expect(new Set(theirs).size).toBe(names.length);
      expect(theirs.map(canonicalFromFairseq)).toEqual(names);
    });

  test("names follow the published checkpoints", () => {
    expect(fairseqName("feature_extractor.conv_layers.0.layer_norm.weight", { convNorm: "group" })).toBe(
      "feature_extractor.conv_layers.0.2.weight",
    );
    expect(fairseqName("feature_extractor.conv_layers.3.layer_norm.bias", { convNorm: "layer" })).toBe(
      "feature_extractor.conv_layers.3.2.1.bias",
    );
    expect(fairseqName("encoder.layers.0.attention.rel_attn_embed.weight", base)).toBe(
      "encoder.layers.0.self_attn.relative_attention_bias.weight",
    );
    expect(fairseqName("heads.3.weight", base)).toBe("proj_head.3.lin_proj.weight");
    expect(canonicalFromFairseq("encoder.pos_conv.0.parametrizations.weight.original0")).toBe(
      "encoder.pos_conv_embed.conv.weight_g",
    );
    expect(canonicalFromFairseq("label_embs_concat")).toBeUndefined();
    expect(canonicalFromFairseq("final_proj.weight")).toBeUndefined();
  });

  test("a missing parameter is named both ways", () => {
    expect(() => fromFairseqNames([], base, { prefix: "teacher." })).toThrow(
      'no tensor "teacher.mask_emb" (our "masked_spec_embed")',
    );
    expect(fromFairseqNames([], base, { partial: true }).size).toBe(0);
  });
});

describe("published configurations", () => {
  const count = (config: ModelConfig) =>
    parameterSpecs(config).reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);

  test("HuBERT Base and the students have the published number of parameters", () => {
    expect(count(base)).toBe(94_371_712);
    expect(count(configFromHuggingFace({ model_type: "hubert" }, "config.json"))).toBe(94_371_712);
    const wavlm = { relative_position_embedding: true, gru_rel_pos: true, num_buckets: 320, max_distance: 800 };
    expect(count(configFromFairseq(wavlm, "wavlm"))).toBe(94_381_936);
    const student = (dim: number, ffn: number) => ({
      conv_feature_layers: `[(128, 10, 5)] + [(256, 1, 1)] + [(256, 3, 2)] * 4 + [(${dim}, 1, 1)] + [(${dim}, 2, 2)] * 2`,
      encoder_embed_dim: dim,
      encoder_ffn_embed_dim: ffn,
      layerwise_proj: true,
      enable_tr_layer: false,
      reuse_pattern: `[True, False] * 6`,
    });
    expect(count(configFromOfficialStudent(student(480, 864), "armhubert"))).toBe(26_448_448);
    expect(count(configFromOfficialStudent(student(432, 816), "armhubert"))).toBe(22_394_080);
    expect(count(configFromOfficialStudent(student(480, 640), "maskhubert"))).toBe(26_635_840);
  });

  test("reuse patterns: the last computed map is taken over", () => {
    const reuse = (pattern: unknown, layers = 4) =>
      configFromOfficialStudent({ encoder_layers: layers, enable_tr_layer: false, reuse_pattern: pattern }, "armhubert")
        .attentionFrom;
    expect(reuse("[True, False, False, True]")).toEqual([0, 0, 0, 3]);
    expect(reuse([true, true, false, false])).toEqual([0, 1, 1, 1]);
    expect(reuse("None")).toEqual([0, 1, 2, 3]);
    expect(reuse(undefined)).toEqual([0, 1, 2, 3]);
    expect(() => reuse("[False, True, True, True]")).toThrow("first layer must compute");
    expect(() => reuse("[True, False]")).toThrow("2 entries for 4 layers");
    expect(() => reuse("[1, 0, 1, 0]")).toThrow("True and False");
  });

  test("what the models here cannot be is refused by name", () => {
    const student = (fields: Record<string, unknown>) => () =>
      configFromOfficialStudent({ enable_tr_layer: false, ...fields }, "armhubert");
    expect(student({ enable_tr_layer: true })).toThrow("time-reduction");
    expect(student({ layer_type: "conformer" })).toThrow('layer_type is "conformer"');
    expect(student({ pos_conv_depth: 5 })).toThrow("pos_conv_depth is 5");
    expect(() => configFromOfficialStudent({}, "fithubert")).toThrow("armhubert, maskhubert, starhubert");
    const hf = (fields: Record<string, unknown>) => () =>
      configFromHuggingFace({ model_type: "hubert", ...fields }, "config.json");
    expect(hf({ model_type: "wav2vec2-conformer" })).toThrow('unknown model_type of config.json "wav2vec2-conformer"');
    expect(hf({ feat_proj_layer_norm: false })).toThrow("feat_proj_layer_norm is false");
    expect(hf({ hidden_act: "relu" })).toThrow('hidden_act is "relu"');
    expect(hf({ conv_dim: [512] })).toThrow("must be of one length");
  });

  test("Hugging Face settings survive the way there and back", () => {
    for (const type of ["hubert", "wav2vec2", "wavlm"])
      for (const large of [false, true]) {
        const fields = {
          model_type: type,
          do_stable_layer_norm: large,
          feat_extract_norm: large ? "layer" : "group",
          conv_bias: large,
        };
        const config = configFromHuggingFace(fields, "config.json");
        expect(config.normalizeWaveform).toBe(large);
        expect(configFromHuggingFace(huggingFaceFields(config), "config.json")).toEqual(config);
      }
  });
});
