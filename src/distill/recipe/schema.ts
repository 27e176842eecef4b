// What a recipe file may say: every field with its type, bounds, default and a line of explanation for editors.
import { z } from "zod";
import { count, loggers, natural, objectOf, path, rate, seed, tags, weight } from "../../recipe/fields.ts";
import { DEVICE_CHOICES } from "../../runtime/device.ts";
import { MAX_THREADS } from "../../runtime/runtime.ts";
import { PRECISION_CHOICES } from "../../stablehlo/precision.ts";
import { objectivesSchema } from "./objectives.ts";

/** [channels | "dim", kernel, stride]; "dim" stands for the student's width. */
const convLayer = z.tuple([z.union([count(16384), z.literal("dim")]), count(4096), count(4096)], {
  error: "expected [channels, kernel, stride], with channels a positive integer or the word dim",
});

const REUSE_FORMS = 'expected "none", "every N", {every: N} or a list with the layer whose map each layer uses';

const studentSchema = objectOf({
  layers: count(256).describe("Encoder layers"),
  dim: count(16384).describe("Width of the encoder"),
  ffnDim: count(65536).describe("Inner width of the feed-forward blocks"),
  heads: count(1024).describe("Attention heads; must divide dim"),
  conv: z
    .array(convLayer)
    .min(1)
    .max(64)
    .default([
      [128, 10, 5],
      [256, 1, 1],
      [256, 3, 2],
      [256, 3, 2],
      [256, 3, 2],
      [256, 3, 2],
      ["dim", 1, 1],
      ["dim", 2, 2],
      ["dim", 2, 2],
    ])
    .describe("Feature extractor: [channels, kernel, stride] per layer; channels may be the word dim"),
  convNorm: z
    .enum(["group", "layer"])
    .default("group")
    .describe("group: GroupNorm after the first conv; layer: LayerNorm after every conv"),
  convBias: z.boolean().default(false),
  featureProjection: z
    .boolean()
    .nullable()
    .default(null)
    .describe("Linear after the feature LayerNorm; null: only where the last conv is not dim wide"),
  normFirst: z.boolean().default(false).describe("true: pre-LN layers (large models); false: post-LN"),
  attentionFrom: z
    .union(
      [
        z.array(natural(255)).max(256),
        z.literal("none"),
        z.string().regex(/^every [1-9]\d{0,2}$/, { error: REUSE_FORMS }),
        objectOf({ every: count(256) }),
      ],
      { error: REUSE_FORMS },
    )
    .default("none")
    .describe("Whose attention map each layer uses: none, every N, or a list (layer i takes the map of entry i)"),
  reuse: z
    .enum(["exact", "official"])
    .optional()
    .describe("exact: the paper's reuse; official: as the released code computes it. Default: semantics"),
  posConv: objectOf({ kernel: count(4096).default(128), groups: count(1024).default(16) })
    .prefault({})
    .describe("Positional convolution"),
  layerGradientScale: z.boolean().default(true).describe("Scale the gradient between layers and into heads"),
  headDim: count(16384).nullable().default(null).describe("Output width of the heads; null: the teacher's width"),
  headLayers: z
    .union([z.literal("all"), z.array(natural(255)).max(256)], {
      error: 'expected "all" or a list of layers',
    })
    .default("all")
    .describe("Layers with a head, the last among them; all: where the layers objective is used, else none"),
  teacherLayers: z
    .array(natural(255))
    .max(256)
    .nullable()
    .default(null)
    .describe("Teacher layer that each head learns, head by head; null: the same share of the depth"),
  initialise: objectOf({
    seed: seed.default(0),
    copyConv: z
      .union([z.boolean(), natural(64)], { error: "expected true, false or a number of conv layers" })
      .default(false)
      .describe("Copy the teacher's conv layers: all, none or the first n; shapes must agree"),
    copyLayers: z
      .union([z.boolean(), count(256), z.array(natural(255)).min(1).max(256)], {
        error: "expected true, false, a number of layers or a list of the teacher's",
      })
      .nullable()
      .default(null)
      .describe(
        "Copy layers of the teacher (the first) of the same shapes: true: those of the same share of the depth; n: the first n; a list: which, for the student's layers from 0 on",
      ),
    copyInput: z
      .boolean()
      .nullable()
      .default(null)
      .describe("Copy what stands before the layers: feature projection, positional convolution, norm, mask embedding"),
  }).prefault({}),
  freezeConv: z
    .boolean()
    .default(false)
    .describe(
      "The conv layers stay the teacher's, which initialise.copyConv copied: they are computed once for both, and faster",
    ),
  dropout: objectOf({
    residual: rate.default(0.1),
    attention: rate.default(0.1),
    activation: rate.default(0.1),
    input: rate.default(0.05).describe("On the encoder's input"),
  }).prefault({}),
  layerDrop: rate.nullable().default(null).describe("Share of the layers that a micro-batch skips whole; null: none"),
  hiddenStates: z
    .enum(["heads", "layers"])
    .optional()
    .describe("What the finished model hands out as hidden states. Default: heads where there are any, else layers"),
});

const speech = objectOf({
  path: path.describe(
    "Folder (LibriSpeech layout, Kaldi or any) or manifest (JSONL, JSON, CSV, TSV); package:... is inside the package",
  ),
  splits: z.array(z.string().min(1)).max(64).default([]).describe("Sub-folders to use; empty: everything"),
});

/** The recipe as a user writes it. */
export const recipeSchema = objectOf({
  teacher: path.describe("Folder or file of a checkpoint, or a Hugging Face id"),
  semantics: z
    .enum(["exact", "official"])
    .default("exact")
    .describe("Sets student.reuse, loss.countPaddedFrames and optimizer.weightDecay where they are not given"),
  secondTeacher: path.nullable().default(null).describe("Another one, for objectives with teacher: 2"),
  student: studentSchema,
  masking: objectOf({
    probability: z
      .union([z.number().min(0).max(1), objectOf({ from: z.number().min(0).max(1), to: z.number().min(0).max(1) })], {
        error: "expected a number in 0..1 or {from, to}",
      })
      .default(0.8)
      .describe("Share of frames that spans aim at; {from, to}: linear over the epochs"),
    length: count(1000).default(10).describe("Mean span length in frames; spans are uniform over 0..2*length"),
    minSpace: natural(1000).default(1).describe("Fewest unmasked frames between spans"),
  }).prefault({}),
  loss: objectOf({
    kind: z.enum(["mse", "l1"]).default("mse"),
    hintWeight: weight.default(0.1).describe("Weight of every head but the last"),
    lastWeight: weight.default(1).describe("Weight of the last head"),
    countPaddedFrames: z.boolean().optional().describe("true: as the released code. Default: semantics"),
  })
    .prefault({})
    .describe("Of the layers objective; countPaddedFrames of all"),
  objectives: objectivesSchema,
  optimizer: objectOf({
    peakLr: z.number().positive().max(10).default(5e-3),
    betas: z
      .tuple([z.number().min(0).lt(1), z.number().min(0).lt(1)], { error: "expected [beta1, beta2], both in 0..1" })
      .default([0.9, 0.98]),
    eps: z.number().positive().max(1).default(1e-6),
    weightDecay: z
      .number()
      .min(0)
      .max(1)
      .optional()
      .describe("On parameters without bias in their name. Default: 1e-6 (exact) or 0.01 (official)"),
    warmupFraction: z.number().min(0).max(1).default(0.05).describe("Share of the updates with a rising rate"),
    accumulate: count(65536).default(1).describe("Micro-batches per update"),
    clipNorm: z.number().positive().nullable().default(null).describe("Largest gradient norm; null: no clipping"),
  }).prefault({}),
  data: objectOf({
    train: speech,
    validation: speech.nullable().default(null).describe("null: no validation"),
    batchSize: count(65536).nullable().default(null).describe("Utterances per micro-batch"),
    batchSeconds: z.number().positive().max(1e6).nullable().default(null).describe("Seconds of audio per micro-batch"),
    maxSeconds: z
      .number()
      .min(0.025)
      .max(86400)
      .nullable()
      .default(null)
      .describe("Crop longer utterances; null: never"),
    lengths: z
      .union([count(256), z.array(z.number().min(0.025).max(86400)).min(1).max(256)], {
        error: "expected a number of padded lengths, or the lengths in seconds",
      })
      .nullable()
      .default(null)
      .describe(
        "Lengths that batches are padded to: how many, or the lengths in seconds, shortest first; null: each to its longest utterance",
      ),
    keepDecoded: z
      .enum(["auto", "memory", "disk", "none"])
      .default("auto")
      .describe(
        "Where speech stays decoded once it was read. auto: in memory where all fits a quarter of what is free",
      ),
    onBadFile: z.enum(["stop", "skip"]).default("stop"),
    seed: seed.default(0),
    workers: count(256)
      .nullable()
      .default(null)
      .describe("Decoding threads; null: one, and beside a GPU or TPU as many as there are cores to spare"),
  }),
  run: objectOf({
    epochs: count(1e6).nullable().default(null),
    steps: count(1e9).nullable().default(null).describe("Optimiser updates, instead of epochs"),
    outDir: path.default("runs/distill"),
    seed: seed.default(0).describe("Masks and dropout"),
    validateEverySteps: count(1e9).default(1000),
    validationUtterances: count(1e9).nullable().default(null).describe("At most so many; null: all"),
    stopOnDivergence: z
      .boolean()
      .default(false)
      .describe("Stop where the validation loss is above 1.5 times the one before the first update"),
    checkpointEverySteps: count(1e9).default(1000),
    keepEvery: count(1e9).nullable().default(null).describe("Keep every k-th checkpoint for good; null: best and last"),
    logEverySteps: count(1e9).default(10),
    loggers,
    tags,
    device: z.enum(DEVICE_CHOICES).default("cpu").describe("Where to compute; auto: the fastest that is there"),
    precision: z
      .enum(PRECISION_CHOICES)
      .default("auto")
      .describe(
        "Formats of products and large activations; weights and losses are float32. auto: bf16 on XLA devices that have it",
      ),
    threads: count(MAX_THREADS).nullable().default(null).describe("CPU threads of the engine; null: all cores"),
  }),
}).meta({ title: "Stillwave distillation recipe" });

/** A recipe whose shape is right but whose shorthands still stand. */
export type RecipeInput = z.output<typeof recipeSchema>;

type Filled<T, Fields> = Readonly<Omit<T, keyof Fields> & Fields>;

/** The student of a recipe with every shorthand spelled out. */
export type StudentRecipe = Filled<
  RecipeInput["student"],
  {
    /** [channels, kernel, stride] per layer. */
    readonly conv: readonly (readonly [number, number, number])[];
    readonly attentionFrom: readonly number[];
    readonly headLayers: readonly number[];
    readonly featureProjection: boolean;
    readonly reuse: "exact" | "official";
    readonly hiddenStates: "heads" | "layers";
  }
>;

/** A recipe with every default and shorthand spelled out: what a run does, nothing left to guess. */
export type Recipe = Filled<
  RecipeInput,
  {
    readonly student: StudentRecipe;
    readonly loss: Filled<RecipeInput["loss"], { readonly countPaddedFrames: boolean }>;
    readonly optimizer: Filled<RecipeInput["optimizer"], { readonly weightDecay: number }>;
  }
>;
