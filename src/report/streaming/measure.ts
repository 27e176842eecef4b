// What streaming costs: error rates of the whole and of chunks over the same speech, computation, and how long words or phones wait.
import { bootstrapDifference } from "../../metrics/bootstrap.ts";
import { type ErrorReport, type ErrorUnit, scoreErrors } from "../../metrics/error-rate.ts";
import type { Prediction } from "../../metrics/predictions.ts";
import type { Recognizer } from "../../recognizer/recognizer.types.ts";
import type { StreamFacts } from "../../streaming/speech-stream.ts";
import type { ChunkSeconds } from "../../streaming/stream.types.ts";

/** Speech that is recognised, and what is said in it. */
export interface ReferenceSpeech {
  readonly id: string;
  readonly reference: string;
  /** 16 kHz, mono. */
  readonly read: () => Promise<Float32Array>;
}

/** Of many times, in seconds. */
export interface Spread {
  readonly median: number;
  /** 95 % are at most this. */
  readonly high: number;
  readonly longest: number;
}

interface Measured {
  /** Errors in percent of the reference. */
  readonly rate: number;
  /** Seconds of computation for a second of speech. */
  readonly realTimeFactor: number;
}

export interface MeasuredSetting extends Measured {
  readonly facts: StreamFacts;
  /** `rate` above that of the whole, with its 95 % interval over utterances. */
  readonly loss: { readonly estimate: number; readonly low: number; readonly high: number };
  /** Computation of a chunk. */
  readonly chunkSeconds: Spread;
  /** From the beginning of an utterance's first word or phone to when it is shown, if it may still go on. */
  readonly firstSeconds: Spread;
  /** From the end of a word or phone to when it is given for good. */
  readonly delaySeconds: Spread;
}

export interface StreamingMeasurement {
  readonly metric: "PER" | "WER";
  readonly utterances: number;
  readonly seconds: number;
  readonly whole: Measured;
  readonly settings: readonly MeasuredSetting[];
}

export interface MeasureOptions {
  readonly settings: readonly ChunkSeconds[];
  /** Told after every utterance. */
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/** Of the bootstrap. */
const DRAWS = 2000;

/** One way of reading, over all utterances. */
class Tally {
  readonly predictions: Prediction[] = [];
  computeSeconds = 0;
  readonly chunks: number[] = [];
  readonly firsts: number[] = [];
  readonly delays: number[] = [];

  errors(unit: ErrorUnit): ErrorReport {
    return scoreErrors(this.predictions, unit);
  }
}

/**
 * Reads every utterance whole, and as a stream in each of the settings.
 * @throws UsageError of a recogniser of classes, and for settings that make no sense
 */
export async function measureStreaming(
  recognizer: Recognizer,
  speech: readonly ReferenceSpeech[],
  { settings, onProgress, signal }: MeasureOptions,
): Promise<StreamingMeasurement> {
  const unit: ErrorUnit = recognizer.facts.text === "characters" ? "word" : "phone";
  const whole = new Tally();
  const tallies = settings.map((setting) => ({ setting, tally: new Tally() }));
  const facts = settings.map((setting) => recognizer.stream(setting).facts);
  let seconds = 0;
  for (const [i, { id, reference, read }] of speech.entries()) {
    const wave = await read();
    seconds += wave.length / recognizer.facts.sampleRate;
    const began = performance.now();
    const { text } = await recognizer.transcribe(wave);
    whole.computeSeconds += (performance.now() - began) / 1000;
    whole.predictions.push({ id, reference, hypothesis: text });
    for (const { setting, tally } of tallies) {
      signal?.throwIfAborted();
      tally.predictions.push({ id, reference, hypothesis: await streamed(recognizer, wave, setting, tally) });
    }
    onProgress?.(i + 1, speech.length);
  }
  const wholeErrors = whole.errors(unit);
  return {
    metric: unit === "word" ? "WER" : "PER",
    utterances: speech.length,
    seconds,
    whole: { rate: wholeErrors.rate, realTimeFactor: whole.computeSeconds / seconds },
    settings: tallies.map(({ tally }, i) => {
      const errors = tally.errors(unit);
      const { estimate, low, high } = bootstrapDifference(ratios(errors), ratios(wholeErrors), {
        seed: 0,
        draws: DRAWS,
      });
      return {
        facts: facts[i],
        rate: errors.rate,
        realTimeFactor: tally.computeSeconds / seconds,
        loss: { estimate: 100 * estimate, low: 100 * low, high: 100 * high },
        chunkSeconds: spread(tally.chunks),
        firstSeconds: spread(tally.firsts),
        delaySeconds: spread(tally.delays),
      };
    }),
  };
}

const ratios = ({ utterances }: ErrorReport) =>
  utterances.map(({ edits, reference }) => ({ numerator: edits, denominator: reference }));

/** The text of a recording that is streamed; counts what it takes. */
async function streamed(
  recognizer: Recognizer,
  wave: Float32Array,
  setting: ChunkSeconds,
  tally: Tally,
): Promise<string> {
  const stream = recognizer.stream(setting);
  const texts: string[] = [];
  let isShown = false;
  for await (const { parts, open, heardSeconds, computeMilliseconds, isLast } of stream.read([wave])) {
    const now = heardSeconds + computeMilliseconds / 1000;
    if (!isLast) tally.chunks.push(computeMilliseconds / 1000);
    const first = parts[0] ?? open;
    if (first && !isShown) tally.firsts.push(now - first.startSeconds);
    isShown ||= first !== null;
    for (const { text, endSeconds } of parts) {
      texts.push(text);
      tally.delays.push(now - endSeconds);
    }
  }
  tally.computeSeconds += stream.cost.computeSeconds;
  return texts.join(" ");
}

function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
  return { median: at(0.5), high: at(0.95), longest: at(1) };
}
