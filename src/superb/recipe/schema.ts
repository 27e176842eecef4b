// Every setting of an evaluation: its type, its bounds, and the line that help, editors and recipes say of it.

import { z } from "zod";
import { loggers, tags } from "../../recipe/fields.ts";
import { DEVICE_CHOICES } from "../../runtime/device.ts";
import { MAX_THREADS } from "../../runtime/runtime.ts";
import { STATE_CHOICES } from "../../upstream/states.ts";

const count = z.int().min(1);
const natural = z.int().min(0);
const text = z.string();
const list = z.array(text);
const open = <T extends z.ZodType>(type: T, help: string) => type.optional().describe(help);
const choice = <const T extends readonly string[]>(names: T, help: string) => open(z.enum(names), help);

const rates = z.union([z.literal("sweep"), z.array(z.number().positive()).min(1)], {
  error: "expected sweep or a list of numbers above 0",
});

const upstream = z.strictObject({
  model: text.describe("model folder, checkpoint, Hugging Face id, exported .onnx, fbank or mfcc"),
  states: choice(
    STATE_CHOICES,
    "hidden states: heads of a student, layers, all (with the first layer's input), or the last alone",
  ),
  part: choice(["student", "teacher"], "of a Lightning checkpoint"),
  reuse: choice(["exact", "official"], "how reused maps are applied"),
  teacherHeads: open(count, "heads of the teacher of a Lightning checkpoint"),
});

const splits = z.strictObject({
  train: open(list, "split to train on (repeatable; default: train-clean-100, or train)"),
  dev: open(list, "split that chooses (default: dev-clean, or dev)"),
  test: open(list, "split that is tested (default: test-clean, or test)"),
});

const most = z.strictObject({
  train: open(count, "to train on"),
  dev: open(count, "that choose"),
  test: open(count, "that are tested; of a search, documents"),
});

const data = z.strictObject({
  root: text.describe("the corpus"),
  splits: open(splits, "folders of the corpus, or values of a manifest's split column"),
  lexicon: open(list, "pronunciations WORD P H O N E S (repeatable, in order)"),
  phones: open(text, "phones of every utterance (default: phones.txt of the corpus)"),
  stress: choice(["stressed", "folded"], "stress marks of vowels"),
  symbols: open(
    text,
    "characters to spell with: a file with one a line, or training: those of the training text (default: the benchmark's)",
  ),
  labelColumns: open(list, "columns of labels.tsv, or of the list that is the corpus"),
  testRoot: open(text, "the separate test archive of Speech Commands"),
  queries: open(text, "queries: folders or lists called dev and test, or a list with a column split"),
  documents: open(text, "documents: a folder, or a list"),
  truth: open(text, "table with columns query and document: which query is in which document"),
  most: open(most, "utterances of a split that are taken at most, drawn by their ids"),
  splitFile: open(text, "official split file (VoxCeleb1), or folder of them (IEMOCAP's meta_data)"),
  fold: open(text, "one fold alone (default: all; the result is their mean)"),
  speech: open(text, "utterances that mixtures are made of (default: libri-6h or LibriSpeech beside the list)"),
  trials: open(text, "trials of test recordings, <0|1> a b (default: the corpus's list, or made)"),
  onBadFile: z.enum(["stop", "skip"]).default("stop").describe("stop, or skip and list"),
});

const training = z.strictObject({
  protocol: choice(
    ["fixed", "superb"],
    "fixed: train until dev stops improving; superb: the benchmark's number of updates (default: fixed)",
  ),
  learningRates: open(rates, "learning rate, a list 1e-2,1e-3, or sweep (1e-1 to 1e-7); dev chooses"),
  steps: open(count, "most optimiser updates"),
  sweepSteps: open(count, "updates after which only the best learning rate goes on"),
  batchSize: open(count, "utterances in a batch"),
  accumulate: open(count, "batches to an update"),
  evaluateEvery: open(count, "updates between evaluations on dev"),
  patience: open(natural, "evaluations without improvement that end training; 0: never"),
  schedule: choice(["constant", "warmup"], "learning rate: constant, or warmup and linear to zero"),
  warmup: open(natural, "updates of warm-up, with --schedule warmup"),
  clip: open(z.number().positive(), "largest norm of a gradient"),
  specAugment: open(z.boolean(), "SpecAugment in training (default: as the benchmark does)"),
  seed: open(natural, "of initial weights, batches and dropout"),
});

const head = z.strictObject({
  projection: open(count, "width of the head's first linear layer"),
  hidden: open(count, "LSTM units per direction, or width of an x-vector (default: the recipe's)"),
  stack: open(count, "neighbouring frames the LSTM reads as one (recipe: 1)"),
  normalizeStates: open(z.boolean(), "LayerNorm of each hidden state before the weighted sum"),
});

const decoding = z.strictObject({
  decoder: choice(
    ["ctc", "reference"],
    "greedy: repeats merged before blanks are dropped (ctc), or after, as the benchmark's code (reference; default: ctc)",
  ),
  beam: open(count, "also decode by beam search with so many hypotheses"),
  tokenBeam: open(count, "symbols tried in each frame (default: all; with a lexicon: 32)"),
  threshold: open(z.number().positive(), "hypotheses this far below the best are dropped (default: 25)"),
  lm: open(text, "also decode with an ARPA n-gram model, plain or gzipped"),
  lexicon: open(text, "words of that decoder, WORD W O R D | (default: the model's words)"),
  lmWeight: open(z.number(), "weight of the language model (recipe: 2)"),
  wordScore: open(z.number(), "added for each word (recipe: -1)"),
});

const features = z.strictObject({
  cache: open(text.nullable(), "where hidden states are kept (default: the user's cache folder)"),
  dtype: choice(["float32", "float16"], "of cached hidden states"),
  workers: open(count, "threads that decode audio (default: 1)"),
  oneState: open(
    count,
    "keep one state in the cache, the weighted sum of all, with weights learnt on so many training utterances first",
  ),
});

const run = z.strictObject({
  outDir: open(text, "folder of the run (default: runs/superb-<task>-<upstream>)"),
  device: z.enum(DEVICE_CHOICES).default("cpu").describe("where models and heads run"),
  threads: open(count.max(MAX_THREADS), "threads inside one operation (default: all cores)"),
  loggers,
  tags,
});

/** The settings as a user gives them, in code, in a recipe or by flags. What is left open, task and protocol decide. */
export const evaluationSchema = z
  .strictObject({
    task: text.describe("task of the benchmark: pr, asr, ks, ..."),
    upstream,
    data,
    training: training.prefault({}),
    head: head.prefault({}),
    decoding: open(decoding, "another decoding beside the greedy one"),
    features: features.prefault({}),
    run: run.prefault({}),
  })
  .meta({ title: "Stillwave evaluation recipe" });

/** Read-only through and through. */
export type Frozen<T> = T extends readonly (infer Item)[]
  ? readonly Frozen<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: Frozen<T[Key]> }
    : T;

/** What a caller gives. */
export type EvaluationInput = Frozen<z.input<typeof evaluationSchema>>;

/** What was given, checked. */
export type EvaluationSettings = Frozen<z.output<typeof evaluationSchema>>;

export type Protocol = NonNullable<EvaluationSettings["training"]["protocol"]>;
export type DataSettings = EvaluationSettings["data"];
export type TrainingSettings = EvaluationSettings["training"];
export type HeadSizes = EvaluationSettings["head"];
export type DecodingSettings = NonNullable<EvaluationSettings["decoding"]>;

/** Settings of tasks that train a head. */
export const OF_TRAINING: readonly string[] = ["training", "head", "features.oneState"];

/** Settings (by path, or by what it begins with) that a task has only if it lists them. */
export const OWN_SETTINGS: readonly string[] = [
  ...["splits", "lexicon", "phones", "stress", "symbols", "labelColumns", "testRoot", "splitFile", "fold"].map(
    (key) => `data.${key}`,
  ),
  ...["queries", "documents", "truth", "speech", "trials"].map((key) => `data.${key}`),
  "head.hidden",
  "head.stack",
  "decoding",
];
