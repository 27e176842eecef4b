// A recogniser over any source of logits: long recordings in windows, decoding, answers. Imports nothing of Node's.
import { StillwaveError, UsageError } from "../errors.ts";
import { chunkFrames } from "../streaming/chunks.ts";
import { SpeechStream } from "../streaming/speech-stream.ts";
import { TextReader } from "../streaming/text-reader.ts";
import { type Decoding, symbolDecoding } from "../superb/objectives/decoding.ts";
import type { CtcSpec } from "../superb/objectives/spec.ts";
import {
  changedLength,
  isLong,
  type LongRecording,
  type WindowOptions,
  windowSettings,
} from "../upstream/windows/plan.ts";
import { classificationOf, meanLogits, transcriptsOf } from "./answers.ts";
import { ClassReader } from "./class-reader.ts";
import type { LogitsSource, Recognizer, RecognizerFacts, RecognizerInput } from "./recognizer.types.ts";

/** Hypotheses of the search that finds alternatives where no search was asked for. */
const USUAL_BEAM = 10;
const USUAL_CLASSES = 5;

export interface RecognizerSettings extends WindowOptions {
  /** Ways to read logits other than greedily. */
  readonly decoding?: Decoding;
}

/** Its symbols as what decoding reads; undefined of classes. */
export function ctcSpecOf({ text, labels, special }: RecognizerFacts): CtcSpec | undefined {
  if (text === null) return undefined;
  return { kind: "ctc", text, symbols: labels, special: special.map((one) => labels[one]) };
}

/** @throws UsageError for windows that leave nothing to keep */
export function createRecognizer(
  facts: RecognizerFacts,
  source: LogitsSource,
  { decoding: asked, ...windowing }: RecognizerSettings,
): Recognizer {
  const spec = ctcSpecOf(facts);
  const windows = windowSettings(windowing, source.windowSeconds);
  const decodingFor = (count: number): Decoding => {
    if (!spec) throw new UsageError(`its answers are classes (${facts.task}): classify, not transcribe`);
    return asked ?? symbolDecoding(spec, count > 1 ? { beam: Math.max(USUAL_BEAM, count) } : {});
  };
  const logits = async (input: RecognizerInput) => {
    const samples = samplesOf(input);
    if (samples < facts.minSamples)
      throw new StillwaveError(
        `too short: ${samples} samples at 16 kHz, at least ${facts.minSamples} are needed by the recogniser`,
      );
    const found =
      windows && isLong(samples, windows)
        ? await source.inferLong(recordingOf(input), windows)
        : await source.infer(await waveOf(input));
    if (!found.data.every(Number.isFinite))
      throw new StillwaveError("its logits are not finite; the audio (samples far too large) or the model is damaged");
    return found;
  };
  return {
    facts,
    device: source.device,
    decoding: asked?.name ?? (spec ? "greedy" : "largest logit"),
    logits,
    async transcribe(input, { nbest = 1 } = {}) {
      checkCount("nbest", nbest);
      const decoding = decodingFor(nbest);
      const samples = samplesOf(input);
      const [best, ...alternatives] = transcriptsOf(facts, decoding, await logits(input), { samples, count: nbest });
      const nothing = { text: "", parts: [], labels: [], confidence: null, score: null };
      return { ...(best ?? nothing), seconds: samples / facts.sampleRate, alternatives };
    },
    async classify(input, { top = USUAL_CLASSES } = {}) {
      checkCount("top", top);
      if (spec) throw new UsageError(`it writes down what is said (${facts.task}): transcribe, not classify`);
      const mean = meanLogits(await logits(input), facts.labels.length);
      return { ...classificationOf(facts, mean, top), seconds: samplesOf(input) / facts.sampleRate };
    },
    stream(options = {}) {
      const stages = source.stages();
      const { chunk, left } = chunkFrames(options, stages);
      const reader = spec
        ? new TextReader(spec, facts.samplesPerFrame / facts.sampleRate)
        : new ClassReader(facts, Math.max(1, Math.round((chunk + left) / stages.stack)));
      return new SpeechStream(stages, reader, options);
    },
    dispose: () => source.dispose(),
  };
}

function checkCount(name: string, count: number): void {
  if (!Number.isInteger(count) || count < 1)
    throw new UsageError(`${name} must be a whole number from 1 on, got ${count}`);
}

const samplesOf = (input: RecognizerInput): number => (input instanceof Float32Array ? input.length : input.samples);

function recordingOf(input: RecognizerInput): LongRecording {
  if (!(input instanceof Float32Array)) return input;
  return {
    samples: input.length,
    async *pieces() {
      yield input;
    },
  };
}

async function waveOf(input: RecognizerInput): Promise<Float32Array> {
  if (input instanceof Float32Array) return input;
  const wave = new Float32Array(input.samples);
  let at = 0;
  for await (const piece of input.pieces()) {
    if (at + piece.length > wave.length) throw changedLength(input.samples);
    wave.set(piece, at);
    at += piece.length;
  }
  if (at !== wave.length) throw changedLength(input.samples);
  return wave;
}
