// Made-up runs that look like real ones: the example speech with its true references, and hypotheses with the errors heads make.

import { readdirSync, readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Prediction } from "../../src/metrics/predictions.ts";
import { Random } from "../../src/random.ts";
import type { Evaluation } from "../../src/report/results/read.ts";
import { metricsOf } from "../../src/superb/measures/index.ts";
import type { MetricValue } from "../../src/superb/measures/measure.types.ts";
import type { DecodingResult, EvaluationResult, LearningRateResult } from "../../src/superb/run/result.ts";

const speechRoot = fileURLToPath(new URL("../../examples/speech", import.meta.url));

interface Recorded {
  readonly id: string;
  readonly audio: string;
  readonly words: string;
  readonly phones: string;
}

function recordings(): Recorded[] {
  const phones = new Map(
    readFileSync(join(speechRoot, "phones.txt"), "utf8")
      .trim()
      .split("\n")
      .map((line) => [line.split(" ")[0], line.split(" ").slice(1).join(" ")]),
  );
  const files = readdirSync(speechRoot, { recursive: true, encoding: "utf8" }).sort();
  const words = new Map(
    files
      .filter((file) => file.endsWith(".trans.txt"))
      .flatMap((file) => readFileSync(join(speechRoot, file), "utf8").trim().split("\n"))
      .map((line) => [line.slice(0, line.indexOf(" ")), line.slice(line.indexOf(" ") + 1)]),
  );
  return files
    .filter((file) => file.endsWith(".flac"))
    .map((file) => {
      const id = file.slice(file.lastIndexOf("/") + 1, -5);
      return { id, audio: join(speechRoot, file), words: words.get(id)!, phones: phones.get(id)! };
    });
}

const speech = recordings();

/** Phones that heads mix up most. */
const ALIKE: Readonly<Record<string, readonly string[]>> = {
  AH: ["IH", "EH", "AE"],
  IH: ["AH", "IY", "EH"],
  IY: ["IH"],
  EH: ["AE", "IH", "AH"],
  AA: ["AO", "AH"],
  AO: ["AA", "OW"],
  D: ["T"],
  T: ["D"],
  Z: ["S"],
  S: ["Z"],
  N: ["M", "NG"],
  M: ["N"],
  DH: ["D", "TH"],
  ER: ["AH", "R"],
  V: ["F"],
  UW: ["UH"],
};

function misheard(
  text: string,
  share: number,
  random: Random,
  alternatives: (token: string) => readonly string[],
): string {
  return text
    .split(" ")
    .flatMap((token) => {
      const draw = random.uniform() / share;
      if (draw < 0.55) {
        const options = alternatives(token);
        return options.length ? [options[random.integer(options.length)]] : [token];
      }
      if (draw < 0.8) return [];
      return draw < 1 ? [token, ...alternatives(token).slice(0, 1)] : [token];
    })
    .join(" ");
}

const spelledAlike = (word: string) => [
  word.replace(/E(?=.)/, "A"),
  word.replace(/GH/, "").replace(/([LTSN])\1/, "$1"),
  word.length > 4 ? word.slice(0, -1) : `${word}E`,
];

export interface RunOptions {
  readonly upstream?: string;
  /** Share of tokens (or answers) that are wrong. */
  readonly share?: number;
  readonly seed?: number;
  readonly rates?: readonly number[];
  readonly layers?: number;
  readonly parameters?: number;
}

/** Predictions by task and split. */
function predict(task: TaskName, split: "dev" | "test", { share = 0.15, seed = 1 }: RunOptions): Prediction[] {
  const random = new Random(seed, task, split);
  // the example speech has few speakers for dev; any half will do
  const rows = speech.filter((_, i) => (i % 3 === 0) === (split === "dev"));
  if (task === "pr")
    return rows.map(({ id, audio, phones }) => ({
      id,
      reference: phones,
      hypothesis: misheard(phones, share * 2 ** random.normal(), random, (phone) => ALIKE[phone] ?? ["HH", "L"]),
      audio,
    }));
  if (task === "asr")
    return rows.map(({ id, audio, words }) => ({
      id,
      reference: words,
      hypothesis: misheard(words, share * 2 ** random.normal(), random, spelledAlike),
      audio,
    }));
  if (task === "sf")
    return rows.map(({ id, audio, words }) => {
      const filled = words.split(" ").map((word, i) => (i % 5 === 1 ? `B-thing ${word} E-thing` : word));
      const heard = filled.map((word) => (random.uniform() < share ? word.replace(/[AEIOU]/, "O") : word));
      return { id, audio, reference: filled.join(" "), hypothesis: heard.join(" ") };
    });
  const classes = classesOf(task);
  return Array.from({ length: 400 }, (_, i) => {
    const at = i % classes.length;
    const wrong = random.uniform() < share;
    const step = 1 + Math.floor(3 * random.uniform() ** 3);
    const { audio } = speech[i % speech.length];
    return {
      id: `${task}-${split}-${String(i).padStart(4, "0")}`,
      reference: classes[at],
      hypothesis: wrong ? classes[(at + step) % classes.length] : classes[at],
      audio,
    };
  });
}

function classesOf(task: TaskName): string[] {
  if (task === "ks") return "yes no up down left right on off stop go _unknown_ _silence_".split(" ");
  if (task === "er") return ["neu", "hap", "ang", "sad"];
  if (task === "sid") return Array.from({ length: 24 }, (_, i) => `id${10001 + i}`);
  const [actions, objects] = [
    ["activate", "deactivate", "increase", "decrease"],
    ["lights", "heat", "volume"],
  ];
  return actions.flatMap((action) => objects.map((object) => `${action} ${object} none`));
}

type TaskName = keyof typeof UNIT;
const UNIT = { pr: "phone", asr: "word", ks: null, sid: null, ic: null, er: null, sf: "slot" } as const;
const NAME = {
  pr: "PER",
  asr: "WER",
  ks: "accuracy",
  sid: "accuracy",
  ic: "accuracy",
  er: "accuracy",
  sf: "F1",
} as const;

export function metricOf(of: EvaluationResult["task"], rows: readonly Prediction[]): MetricValue {
  const task = of as TaskName;
  const unit = UNIT[task];
  return { ...metricsOf(rows, unit, { seed: 3, draws: 300 })[0], name: NAME[task] };
}

/** A sweep whose best is in the middle, each curve going down (or up) and settling; 1e-1 diverges. */
function sweep(task: TaskName, dev: number, rates: readonly number[]): LearningRateResult[] {
  const isError = UNIT[task] !== null && task !== "sf";
  const middle = rates.length > 2 ? 1 : 0;
  return rates.map((learningRate, i) => {
    const distance = Math.abs(i - middle);
    const diverges = rates.length > 3 && i === rates.length - 1;
    const goal = isError ? dev * 1.9 ** distance : dev * 0.9 ** distance;
    const curve = Array.from({ length: 24 }, (_, n) => {
      const left = Math.exp(-n / (3 + 2 * distance));
      const wiggle = 0.015 * goal * Math.sin(5 * n + i);
      const value = isError ? Math.min(100, goal + (96 - goal) * left + wiggle) : goal - (goal - 8) * left + wiggle;
      return {
        step: 250 * (n + 1),
        trainLoss: diverges && n > 3 ? Number.NaN : 0.15 + 3.2 * left,
        devLoss: diverges && n > 3 ? Number.NaN : 0.28 + 3.1 * left + 0.006 * n,
        dev: distance === 0 && n === 20 ? dev : isError ? Math.max(dev * 1.002, value) : Math.min(dev * 0.999, value),
      };
    });
    const best = curve.reduce((a, b) => ((isError ? b.dev < a.dev : b.dev > a.dev) ? b : a));
    return {
      learningRate,
      steps: 6000,
      best: diverges ? null : { step: best.step, dev: best.dev },
      curve,
      skippedSteps: diverges ? 212 : 0,
      chosen: i === middle,
    };
  });
}

/** A run in memory; its `folder` does not exist until `writeRun` makes it. */
export function madeRun(task: TaskName, options: RunOptions = {}): Evaluation {
  const { upstream = "hubert-base-ls960", layers = 13, rates = [1e-4, 1e-3, 1e-2, 1e-1] } = options;
  const [test, dev] = [predict(task, "test", options), predict(task, "dev", options)];
  const metric = metricOf(task, test);
  const devValue = metricOf(task, dev).value;
  const isCtc = UNIT[task] !== null;
  const raw = Array.from(
    { length: layers },
    (_, i) => Math.exp(-(((i - 0.7 * layers) / (0.22 * layers)) ** 2) / 2) + 0.06,
  );
  const total = raw.reduce((a, b) => a + b, 0);
  const decodings: DecodingResult[] = isCtc
    ? [{ name: "greedy", metric, otherMetrics: [], predictions: "predictions/test.jsonl" }]
    : [];
  const seconds = (rows: readonly Prediction[]) => rows.length * 3.1;
  const result: EvaluationResult = {
    format: 1,
    task,
    created: "2026-03-02T09:14:05.120Z",
    upstream: {
      name: upstream,
      kind: "model",
      fingerprint: `sha256:${upstream}`,
      layers: Array.from({ length: layers }, (_, i) => (i === 0 ? "input" : `layer ${i}`)),
      dim: 768,
      samplesPerFrame: 320,
      parameters: options.parameters ?? 94_371_712,
    },
    data: {
      root: speechRoot,
      fingerprint: "sha256:4f6f0c8f",
      train: { utterances: 28_539, seconds: 362_000, source: "train-clean-100" },
      dev: { utterances: dev.length, seconds: seconds(dev), source: "held out of train" },
      test: { utterances: test.length, seconds: seconds(test), source: "test-clean" },
    },
    protocol: "fixed",
    options: { seed: options.seed ?? 1, batch: 16, accumulate: 2, clip: 1, warmup: 0, normalize: false, lm: null },
    metric,
    otherMetrics: UNIT[task] === "slot" ? metricsOf(test, "slot", { seed: 3, draws: 300 }).slice(1) : [],
    choices: [],
    folds: [],
    dev: devValue,
    decodings,
    unit: UNIT[task],
    layerWeights: raw.map((value) => value / total),
    headParameters: 215_818,
    learningRates: sweep(task, devValue, rates),
    seconds: { features: 412.5, training: 3811, testing: 42 },
    predictions: { dev: "predictions/dev.jsonl", test: "predictions/test.jsonl" },
    environment: { stillwave: "0.1.0", node: "20.19.0", onnxruntime: "1.30.0", platform: "linux x64", cores: 16 },
  };
  return { folder: `runs/${task}-${upstream}`, result, test, dev };
}

const jsonLines = (rows: readonly object[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join("");

/** Strict JSON: what is not finite as text. */
const resultText = (result: EvaluationResult) =>
  JSON.stringify(
    result,
    (_, value) => (typeof value === "number" && !Number.isFinite(value) ? String(value) : value),
    2,
  );

/** Writes a run into `folder`, with further decodings and their predictions if there are any; returns it as it lies there. */
export async function writeRun(
  folder: string,
  run: Evaluation,
  further: readonly { readonly name: string; readonly rows: readonly Prediction[] }[] = [],
): Promise<Evaluation> {
  await mkdir(join(folder, "predictions"), { recursive: true });
  const decodings = further.map(({ name, rows }, i) => ({
    name,
    metric: metricOf(run.result.task, rows),
    otherMetrics: [],
    predictions: `predictions/test-${i + 1}.jsonl`,
  }));
  const result = { ...run.result, decodings: [...run.result.decodings, ...decodings] };
  await writeFile(join(folder, "result.json"), resultText(result));
  await writeFile(join(folder, "predictions/test.jsonl"), jsonLines(run.test));
  if (run.dev) await writeFile(join(folder, "predictions/dev.jsonl"), jsonLines(run.dev));
  for (const [i, { rows }] of further.entries())
    await writeFile(join(folder, decodings[i].predictions), jsonLines(rows));
  return { ...run, folder, result };
}
