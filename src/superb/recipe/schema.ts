// Every setting of an evaluation: its type, its bounds, and the line that help, editors and recipes say of it.
import { z } from "zod";

const count = z.int().min(1);
const natural = z.int().min(0);
const names = z.array(z.string());

/** The settings as a user gives them, in code, in a recipe or by flags. What is left open, task and protocol decide. */
export const evaluationSchema = z
  .strictObject({
    task: z.string().describe("task of the benchmark: pr, asr, ks, ..."),
    upstream: z.strictObject({
      model: z.string().describe("model folder, checkpoint, Hugging Face id, exported .onnx, fbank or mfcc"),
      states: z
        .enum(["auto", "heads", "layers", "all"])
        .optional()
        .describe("hidden states: heads of a student, layers, all (with the first layer's input)"),
      part: z.enum(["student", "teacher"]).optional().describe("of a Lightning checkpoint"),
      reuse: z.enum(["exact", "official"]).optional().describe("how reused maps are applied"),
      teacherHeads: count.optional().describe("heads of the teacher of a Lightning checkpoint"),
    }),
    data: z.strictObject({
      root: z.string().describe("the corpus"),
      splits: z
        .strictObject({
          train: names.optional().describe("split to train on (repeatable; default: train-clean-100, or train)"),
          dev: names.optional().describe("split that chooses (default: dev-clean, or dev)"),
          test: names.optional().describe("split that is tested (default: test-clean, or test)"),
        })
        .optional()
        .describe("folders of the corpus, or values of a manifest's split column"),
      lexicon: names.optional().describe("pronunciations WORD P H O N E S (repeatable, in order)"),
      phones: z.string().optional().describe("phones of every utterance (default: phones.txt of the corpus)"),
      stress: z.enum(["stressed", "folded"]).optional().describe("stress marks of vowels"),
      labelColumns: names.optional().describe("columns of labels.tsv"),
      testRoot: z.string().optional().describe("the separate test archive of Speech Commands"),
      splitFile: z.string().optional().describe("VoxCeleb1's official split file"),
      onBadFile: z.enum(["stop", "skip"]).default("stop").describe("stop, or skip and list"),
    }),
    training: z
      .strictObject({
        protocol: z
          .enum(["fixed", "superb"])
          .optional()
          .describe(
            "fixed: train until dev stops improving; superb: the benchmark's number of updates (default: fixed)",
          ),
        learningRates: z
          .union([z.literal("sweep"), z.array(z.number().positive()).min(1)], {
            error: "expected sweep or a list of numbers above 0",
          })
          .optional()
          .describe("learning rate, a list 1e-2,1e-3, or sweep (1e-1 to 1e-7); dev chooses"),
        steps: count.optional().describe("most optimiser updates"),
        sweepSteps: count.optional().describe("updates after which only the best learning rate goes on"),
        batchSize: count.optional().describe("utterances in a batch"),
        accumulate: count.optional().describe("batches to an update"),
        evaluateEvery: count.optional().describe("updates between evaluations on dev"),
        patience: natural.optional().describe("evaluations without improvement that end training; 0: never"),
        schedule: z
          .enum(["constant", "warmup"])
          .optional()
          .describe("learning rate: constant, or warmup and linear to zero"),
        warmup: natural.optional().describe("updates of warm-up, with --schedule warmup"),
        clip: z.number().positive().optional().describe("largest norm of a gradient"),
        specAugment: z.boolean().optional().describe("SpecAugment in training (default: as the benchmark does)"),
        seed: natural.optional().describe("of initial weights, batches and dropout"),
      })
      .prefault({}),
    head: z
      .strictObject({
        projection: count.optional().describe("width of the head's first linear layer"),
        hidden: count.optional().describe("LSTM units per direction (recipe: 1024)"),
        stack: count.optional().describe("neighbouring frames the LSTM reads as one (recipe: 1)"),
        normalizeStates: z.boolean().optional().describe("LayerNorm of each hidden state before the weighted sum"),
      })
      .prefault({}),
    decoding: z
      .strictObject({
        beam: count.optional().describe("also decode by beam search with so many hypotheses"),
        tokenBeam: count.optional().describe("symbols tried in each frame (default: all; with a lexicon: 32)"),
        threshold: z.number().optional().describe("hypotheses this far below the best are dropped (default: 25)"),
        lm: z.string().optional().describe("also decode with an ARPA n-gram model, plain or gzipped"),
        lexicon: z.string().optional().describe("words of that decoder, WORD W O R D | (default: the model's words)"),
        lmWeight: z.number().optional().describe("weight of the language model (recipe: 2)"),
        wordScore: z.number().optional().describe("added for each word (recipe: -1)"),
      })
      .optional()
      .describe("another decoding beside the greedy one"),
    features: z
      .strictObject({
        cache: z
          .string()
          .nullable()
          .optional()
          .describe("where hidden states are kept (default: the user's cache folder)"),
        dtype: z.enum(["float32", "float16"]).optional().describe("of cached hidden states"),
        workers: count.optional().describe("threads that decode audio (default: 1)"),
      })
      .prefault({}),
    run: z
      .strictObject({
        outDir: z.string().optional().describe("folder of the run (default: runs/superb-<task>-<upstream>)"),
        device: z.enum(["cpu", "cuda", "webgpu", "auto"]).default("cpu").describe("where models and heads run"),
        threads: count.optional().describe("threads inside one operation (default: all cores)"),
      })
      .prefault({}),
  })
  .meta({ title: "Stillwave evaluation recipe" });

type Frozen<T> = T extends readonly (infer Item)[]
  ? readonly Item[]
  : T extends object
    ? { readonly [Key in keyof T]: Frozen<T[Key]> }
    : T;

/** What a caller gives. */
export type EvaluationInput = Frozen<z.input<typeof evaluationSchema>>;

/** What was given, checked. */
export type EvaluationSettings = Frozen<z.output<typeof evaluationSchema>>;

export type DataSettings = EvaluationSettings["data"];
export type HeadSizes = EvaluationSettings["head"];
export type DecodingSettings = NonNullable<EvaluationSettings["decoding"]>;
export type TrainingSettings = EvaluationSettings["training"];

/** Settings that only the tasks have which list them, or that these paths begin. */
export const OWN_SETTINGS: readonly string[] = [
  "data.splits",
  "data.lexicon",
  "data.phones",
  "data.stress",
  "data.labelColumns",
  "data.testRoot",
  "data.splitFile",
  "head.hidden",
  "head.stack",
  "decoding",
];
