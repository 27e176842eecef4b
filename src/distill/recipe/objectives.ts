// What a recipe may say about objectives: a list, whose weighted sum is the loss.
import { z } from "zod";
import { weight } from "../../recipe/fields.ts";

const weighed = (of: string, initial = 1) => weight.default(initial).describe(of);
const layer = z.int().min(-1).max(255);
const name = z
  .string()
  .regex(/^[A-Za-z]\w{0,39}$/, { error: "expected a word of letters and digits" })
  .nullable()
  .default(null)
  .describe("Names its terms in metrics and reports; null: its kind");

const common = { name, weight: weighed("What its loss is multiplied by in the sum") };
const compared = {
  ...common,
  teacher: z
    .union([z.literal(1), z.literal(2)], { error: "expected 1 (teacher) or 2 (secondTeacher)" })
    .default(1)
    .describe("1: teacher; 2: secondTeacher"),
  pass: z
    .enum(["full", "mixed"])
    .default("full")
    .describe("What the teacher sees: everything, or at unmasked frames what the student sees"),
};
const someLayers = z
  .union([z.int().min(1).max(256), z.array(layer).min(1).max(256)], {
    error: "expected a number of layers, or a list of them",
  })
  .nullable()
  .default(null);
const chosen = {
  ...compared,
  teacherLayers: someLayers.describe(
    "Layers from 0 (-1: what layer 0 reads), or how many, evenly from the last down; null: those of the student's depths",
  ),
  studentLayers: z
    .union([z.literal("last"), z.array(layer).min(1).max(256)], { error: "expected last or a list of layers" })
    .nullable()
    .default(null)
    .describe("The student's layer for each; last: the last one for all; null: the same share of the depth"),
};
const predicted = {
  l1Weight: weighed("Of the mean absolute difference"),
  cosineWeight: weighed("Of -log sigmoid(cosine)"),
};

const kinds = [
  z
    .strictObject({ kind: z.literal("layers"), weight: common.weight })
    .describe("Heads learn the teacher's layers, as loss says (arXiv:2305.11685)"),
  z
    .strictObject({ kind: z.literal("cosine"), ...chosen, ...predicted })
    .describe("L1 and cosine on chosen layers (DistilHuBERT, arXiv:2110.01900; DPHuBERT, arXiv:2305.17651)"),
  z
    .strictObject({
      kind: z.literal("gram"),
      ...chosen,
      layerWeight: weighed("Of the frames' relations in a layer's output"),
      intraWeight: weighed("Of those between what a layer reads and its output"),
      overWidth: z.boolean().default(true).describe("Divide products by the model's width; false: as published"),
    })
    .describe("Temporal Gram matrices (STaR, arXiv:2312.09040)"),
  z
    .strictObject({
      kind: z.literal("groups"),
      ...compared,
      groups: z
        .array(z.array(layer).min(1).max(256))
        .min(1)
        .max(256)
        .describe("The teacher's layers by groups; stillwave maps finds them"),
      studentGroups: z
        .array(z.array(layer).min(1).max(256))
        .min(1)
        .max(256)
        .nullable()
        .default(null)
        .describe("The student's layers for each; null: those of the same share of the depth"),
      ...predicted,
    })
    .describe("L1 and cosine on means over groups of layers (SKILL, arXiv:2402.16830)"),
  z
    .strictObject({
      kind: z.literal("units"),
      ...common,
      teacher: compared.teacher,
      layer: z
        .int()
        .min(0)
        .max(255)
        .nullable()
        .default(null)
        .describe("Whose outputs are clustered; null: three quarters up"),
      clusters: z.int().min(2).max(65_536).default(100).describe("How many"),
      share: z.number().positive().max(1).default(1).describe("Of the training utterances, to which k-means is fitted"),
      iterations: z.int().min(1).max(1e9).default(5000).describe("Mini-batches of k-means, at most"),
      projectionDim: z.int().min(1).max(16384).default(256).describe("Width in which states and units are compared"),
      temperature: z.number().min(0.02).max(100).default(0.1).describe("Cosines are divided by it"),
      maskedWeight: weighed("Of the cross-entropy at masked frames"),
      unmaskedWeight: weighed("The same at unmasked ones", 0),
      featurePenalty: weighed("Of the mean square of the convolution features", 10),
    })
    .describe("Masked units: clusters of a layer of the teacher (DiceHuBERT, arXiv:2507.02911)"),
] as const;

export const objectivesSchema = z
  .array(
    z.discriminatedUnion("kind", kinds, {
      error: `expected kind: ${kinds.map(({ shape }) => shape.kind.value).join(", ")}`,
    }),
  )
  .min(1)
  .max(16)
  .nullable()
  .default(null)
  .describe("What the student learns by, summed with weights; null: layers alone, as loss says");

export type ObjectiveSettings = NonNullable<z.output<typeof objectivesSchema>>[number];
