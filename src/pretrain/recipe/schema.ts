// What a pre-training recipe may say: every field with its type, bounds, default and a line of explanation for editors.
import { z } from "zod";
import { recipeSchema } from "../../distill/recipe/schema.ts";
import { count, natural, objectOf, path, rate, seed, weight } from "../../recipe/fields.ts";

const share = z.number().min(0).max(1);

/** HuBERT Base's. */
const CONV = [[512, 10, 5], ...Array(4).fill([512, 3, 2]), ...Array(2).fill([512, 2, 2])] as [number, number, number][];

const convLayer = z.tuple([count(16384), count(4096), count(4096)], {
  error: "expected [channels, kernel, stride], three positive integers",
});

const modelSchema = objectOf({
  layers: count(256).describe("Encoder layers"),
  dim: count(16384).describe("Width of the encoder"),
  ffnDim: count(65536).describe("Inner width of the feed-forward blocks"),
  heads: count(1024).describe("Attention heads; must divide dim"),
  conv: z
    .array(convLayer)
    .min(1)
    .max(64)
    .default(CONV)
    .describe("Feature extractor: [channels, kernel, stride] per layer"),
  convNorm: z
    .enum(["group", "layer"])
    .default("group")
    .describe("group: GroupNorm after the first conv; layer: LayerNorm after every conv"),
  convBias: z.boolean().default(false),
  normFirst: z.boolean().default(false).describe("true: pre-LN layers (large models); false: post-LN"),
  normalizeWaveform: z
    .boolean()
    .optional()
    .describe("Waveforms to zero mean and unit variance. Default: where convNorm is layer, as in published models"),
  posConv: objectOf({ kernel: count(4096).default(128), groups: count(1024).default(16) })
    .prefault({})
    .describe("Positional convolution"),
  relativePosition: objectOf({ buckets: count(4096).default(320), maxDistance: count(65536).default(800) })
    .nullable()
    .default(null)
    .describe("WavLM's gated relative position bias; null: none"),
  initialise: objectOf({ seed: seed.default(0) }).prefault({}),
  dropout: objectOf({
    residual: rate.default(0.1),
    attention: rate.default(0.1),
    activation: rate.default(0),
    input: rate.default(0.1).describe("On the encoder's input"),
    layer: rate.default(0.05).describe("Layers that an update skips whole (layer drop)"),
  }).prefault({}),
});

const kMeansSchema = objectOf({
  share: z.number().positive().max(1).default(1).describe("Of the training utterances, to which k-means is fitted"),
  batchFrames: count(2 ** 24)
    .nullable()
    .default(10_000)
    .describe("Frames of a mini-batch; null: Lloyd's whole passes"),
  iterations: count(1e9).default(5000).describe("Mini-batches, or passes, at most"),
  starts: count(1000).default(20).describe("k-means++ starts, the best of which is gone on from"),
});

const TARGETS = 'expected "mfcc" or {layer: k}, the output of layer k (from 1) of the iteration before';

const iterationSchema = objectOf({
  targets: z
    .union(
      [
        z.literal("mfcc"),
        objectOf({
          layer: count(256),
          of: count(64).nullable().default(null).describe("Which iteration's model, from 1; null: the one before"),
        }),
      ],
      { error: TARGETS },
    )
    .describe("What the units are clusters of"),
  clusters: z.int().min(2).max(65_536),
  kMeans: kMeansSchema.prefault({}),
  from: z
    .enum(["afresh", "continue"])
    .default("afresh")
    .describe("Where the weights begin: afresh, or with those of the iteration before; heads are always fresh"),
  epochs: count(1e6).nullable().default(null),
  steps: count(1e9).nullable().default(null).describe("Optimiser updates, instead of epochs"),
  maskedWeight: weight.default(1).describe("Weight of the cross-entropy at masked frames"),
  unmaskedWeight: weight.default(0).describe("The same at unmasked ones"),
  featurePenalty: weight.default(10).describe("Weight of the mean square of the convolution features"),
  peakLr: z.number().positive().max(10).nullable().default(null).describe("null: optimizer.peakLr"),
  warmupFraction: share.nullable().default(null).describe("null: optimizer.warmupFraction"),
});

const distillation = recipeSchema.shape;

/** The recipe as a user writes it. */
export const pretrainSchema = objectOf({
  model: modelSchema,
  iterations: z.array(iterationSchema).min(1).max(64).describe("One after the other, each with units of its own"),
  prediction: objectOf({
    projectionDim: count(16384).default(256).describe("Width in which states and units are compared"),
    temperature: z.number().min(0.02).max(100).default(0.1).describe("Cosines are divided by it"),
  }).prefault({}),
  masking: objectOf({
    probability: share.default(0.08).describe("Share of the frames that are starts of spans"),
    length: count(1000).default(10).describe("Frames of a span; spans may overlap"),
    minSpans: natural(1000).default(2).describe("Spans of an utterance at least, however short it is"),
  }).prefault({}),
  mixing: objectOf({
    probability: share.default(0.2).describe("Share of the utterances that another one is mixed into"),
    maxShare: share.default(0.5).describe("Of an utterance that is overlaid, at most"),
    ratioDb: z
      .tuple([z.number().min(-100).max(100), z.number().min(-100).max(100)], {
        error: "expected [lowest, highest], in dB",
      })
      .default([-5, 5])
      .describe("Energy of the utterance over that of the other one"),
  })
    .nullable()
    .default(null)
    .describe("WavLM's utterance mixing; null: none"),
  phones: objectOf({
    path: path.describe("Lines `utterance phone phone ...`"),
    kind: z
      .enum(["frames", "sequence"])
      .describe("frames: a phone a frame; sequence: what is said, spread evenly over the utterance to compare with"),
    frameMs: z.number().min(1).max(1000).default(20).describe("Of kind frames"),
  })
    .nullable()
    .default(null)
    .describe("Phones to judge the units by; null: none"),
  optimizer: distillation.optimizer,
  data: distillation.data,
  run: distillation.run
    .omit({ epochs: true, steps: true })
    .extend({
      outDir: path.default("runs/pretrain"),
      seed: distillation.run.shape.seed.describe("Masks, dropout, mixing and k-means"),
    })
    .prefault({}),
}).meta({ title: "Stillwave pre-training recipe" });

/** A recipe whose shape is right but whose shorthands still stand. */
export type PretrainInput = z.output<typeof pretrainSchema>;

type Filled<T, Fields> = Readonly<Omit<T, keyof Fields> & Fields>;

export type ModelRecipe = Filled<PretrainInput["model"], { readonly normalizeWaveform: boolean }>;

export type IterationRecipe = Filled<
  PretrainInput["iterations"][number],
  {
    /** `of`: which iteration, from 1. */
    readonly targets: "mfcc" | { readonly layer: number; readonly of: number };
    readonly peakLr: number;
    readonly warmupFraction: number;
  }
>;

/** A recipe with every default and shorthand spelled out. */
export type PretrainRecipe = Filled<
  PretrainInput,
  {
    readonly model: ModelRecipe;
    readonly iterations: readonly IterationRecipe[];
    readonly optimizer: Filled<PretrainInput["optimizer"], { readonly weightDecay: number }>;
  }
>;
