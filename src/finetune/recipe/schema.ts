// What a fine-tuning recipe may say: every field with its type, bounds, default and a line of explanation for editors.
import { z } from "zod";
import { recipeSchema } from "../../distill/recipe/schema.ts";
import { count, loggers, natural, objectOf, path, rate, seed, tags } from "../../recipe/fields.ts";
import { evaluationSchema } from "../../superb/recipe/schema.ts";
import { STATE_CHOICES } from "../../upstream/states.ts";
import { TARGETS, type TargetName } from "../target.ts";

const share = z.number().min(0).max(1);
/** null: frozen. */
const learningRate = z.number().positive().max(10).nullable();

const evaluation = evaluationSchema.shape;
const distillation = recipeSchema.shape;
const optimizer = distillation.optimizer.unwrap();

const upstreamSchema = objectOf({
  model: path.describe("Model folder, checkpoint or Hugging Face id; package:... is inside the package"),
  states: z
    .enum(STATE_CHOICES)
    .default("last")
    .describe("What the head reads: the last layer, or a learnt weighted sum of heads, layers or all"),
  part: z.enum(["student", "teacher"]).optional().describe("Of a Lightning checkpoint"),
  reuse: z
    .enum(["exact", "official"])
    .optional()
    .describe("How reused maps are applied. Default: as the model was trained"),
  teacherHeads: count(1024).optional().describe("Heads of the teacher of a Lightning checkpoint"),
  dropout: objectOf({
    residual: rate.default(0.1),
    attention: rate.default(0.1),
    activation: rate.default(0),
    input: rate.default(0).describe("On the projected features, before they are masked"),
  }).prefault({}),
  layerDrop: rate.default(0).describe("Share of the layers that a micro-batch skips whole"),
});

const headSchema = objectOf({
  kind: z
    .enum(["linear", "lstm"])
    .default("linear")
    .describe("Of CTC: two linear layers on every frame, or two bidirectional LSTM layers. Classes: mean over frames"),
  projection: count(65_536).optional().describe("Width of the first linear layer (linear, classes: 256; lstm: 1024)"),
  hidden: count(65_536).optional().describe("LSTM units per direction (1024)"),
  stack: count(64).optional().describe("Neighbouring frames that the LSTM reads as one (1)"),
  normalizeStates: z.boolean().default(false).describe("LayerNorm of each hidden state before the weighted sum"),
  seed: seed.default(0).describe("Of its initial weights"),
  from: path
    .optional()
    .describe(
      "Run folder of a frozen evaluation or a fine-tuning whose head is begun with, instead (arXiv:2202.10054)",
    ),
});

const dataSchema = evaluation.data
  .omit({ queries: true, documents: true, truth: true, speech: true, trials: true })
  .extend({
    batchSize: distillation.data.shape.batchSize,
    batchSeconds: distillation.data.shape.batchSeconds.describe("Seconds of audio per micro-batch, padding included"),
    maxSeconds: distillation.data.shape.maxSeconds.describe("Longer utterances are not trained on; null: all are"),
    keepDecoded: distillation.data.shape.keepDecoded,
    seed: distillation.data.shape.seed,
    workers: distillation.data.shape.workers,
  });

const specAugmentSchema = objectOf({
  timeProbability: share.default(0.065).describe("Share of the frames that are starts of masked spans"),
  timeLength: count(1000).default(10).describe("Frames of a span, which get the mask embedding; spans may overlap"),
  timeSpans: natural(1000).default(0).describe("Spans of an utterance at least, however short it is"),
  featureProbability: share.default(0.004).describe("Share of the features that are starts of masked ranges"),
  featureLength: count(1000).default(16).describe("Features of a range, which become 0"),
});

const range = (bound: number, message: string) =>
  z.tuple([z.number().min(-bound).max(bound), z.number().min(-bound).max(bound)], { error: message });

const augmentSchema = objectOf({
  speed: z
    .array(z.number().min(0.5).max(2))
    .min(1)
    .max(64)
    .default([1])
    .describe("Factors of speed and pitch, one drawn for each utterance (0.9, 1, 1.1: Ko et al., Interspeech 2015)"),
  gainDb: range(60, "expected [lowest, highest], in dB").default([0, 0]).describe("Gain, drawn evenly"),
  noise: objectOf({
    probability: share.default(0.5).describe("Share of the utterances that noise is added to"),
    ratioDb: range(100, "expected [lowest, highest], in dB")
      .default([5, 30])
      .describe("Speech over noise, drawn evenly"),
    colours: z
      .array(z.enum(["white", "pink", "brown"]))
      .min(1)
      .max(16)
      .default(["white", "pink", "brown"])
      .describe("One drawn for each"),
  })
    .nullable()
    .default(null),
  lowPass: objectOf({
    probability: share.default(0.5),
    hertz: z
      .tuple([z.number().min(500).max(8000), z.number().min(500).max(8000)], {
        error: "expected [lowest, highest], in Hz",
      })
      .default([3000, 7000])
      .describe("Cut-off, drawn evenly: microphones and telephones differ in it"),
  })
    .nullable()
    .default(null),
  padSeconds: z.number().min(0).max(10).default(0).describe("Silence put before and after, at most, drawn evenly"),
});

/** The recipe as a user writes it. */
export const finetuneSchema = objectOf({
  upstream: upstreamSchema,
  target: z
    .enum(Object.keys(TARGETS) as TargetName[])
    .describe("What is recognised; each is scored as a task of SUPERB"),
  head: headSchema.prefault({}),
  data: dataSchema,
  specAugment: specAugmentSchema
    .nullable()
    .prefault({})
    .describe("Masks on the front end's output (arXiv:1904.08779, as in arXiv:2006.11477); null: none"),
  augment: augmentSchema.nullable().default(null).describe("What is done to waveforms; null: nothing"),
  optimizer: objectOf({
    learningRates: objectOf({
      frontEnd: learningRate.default(null).describe("Of the convolutions; null: frozen"),
      upstream: learningRate.default(1e-4).describe("Of everything behind them; null: frozen"),
      head: z.number().positive().max(10).default(1e-3),
    }).prefault({}),
    frozenSteps: natural(1e9).default(0).describe("Updates at the beginning in which the head alone learns"),
    betas: optimizer.shape.betas,
    eps: optimizer.shape.eps,
    weightDecay: share.default(0).describe("On parameters without bias in their name"),
    warmupFraction: share.default(0.1).describe("Share of the updates with a rising rate, which then falls to 0"),
    accumulate: optimizer.shape.accumulate,
    clipNorm: optimizer.shape.clipNorm.unwrap().default(1),
  }).prefault({}),
  decoding: evaluation.decoding,
  run: objectOf({
    epochs: distillation.run.shape.epochs,
    steps: distillation.run.shape.steps,
    outDir: path.default("runs/finetune"),
    seed: seed.default(0).describe("Masks, dropout and augmentation"),
    evaluateEverySteps: count(1e9).default(500).describe("Updates between evaluations on dev, which choose the best"),
    patience: natural(1e6).default(0).describe("Evaluations without improvement that end the training; 0: never"),
    checkpointEverySteps: distillation.run.shape.checkpointEverySteps,
    logEverySteps: distillation.run.shape.logEverySteps,
    loggers,
    tags,
    device: distillation.run.shape.device,
    threads: distillation.run.shape.threads,
  }),
}).meta({ title: "Stillwave fine-tuning recipe" });

/** A recipe with every default spelled out. */
export type FinetuneRecipe = z.output<typeof finetuneSchema>;
