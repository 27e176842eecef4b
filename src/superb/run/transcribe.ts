// A trained head on new audio: its upstream opened again, logits decoded, words and phones with their times.
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { loadAudio, SAMPLE_RATE_HZ, type Segment, streamAudio } from "../../audio/index.ts";
import { StillwaveError } from "../../errors.ts";
import type { DeviceChoice } from "../../runtime/device.ts";
import { createRuntime } from "../../runtime/node/index.ts";
import { openUpstream } from "../../upstream/open.ts";
import type { Upstream } from "../../upstream/upstream.ts";
import {
  isLong,
  WHOLE_SECONDS,
  type WindowOptions,
  type WindowSettings,
  windowSettings,
} from "../../upstream/windows/plan.ts";
import { Head, type HeadOutput } from "../heads/step.ts";
import type { Decoding } from "../objectives/decoding.ts";
import { createObjective } from "../objectives/index.ts";
import { createDecoding } from "../objectives/open-decoding.ts";
import { logitsOf } from "../objectives/reading.ts";
import type { DecodingSettings } from "../recipe/schema.ts";
import { type HeadSettings, readHead } from "./head-folder.ts";
import { EVALUATION_FILES } from "./record.ts";
import { inferLong } from "./windowed-head.ts";

export interface TranscriberOptions extends WindowOptions {
  /** Folder of a finished evaluation. */
  readonly run: string;
  readonly decoding?: DecodingSettings;
  /** Where the upstream lies now, if it has moved. */
  readonly upstream?: string;
  readonly device?: DeviceChoice;
  readonly threads?: number;
  /** Takes what the user should know, as words of a language model that the head cannot spell. */
  readonly onNote?: (text: string) => void;
}

/** A word or phone, or what a classifier says of the whole recording. */
export interface TimedPart {
  readonly text: string;
  readonly startSeconds: number;
  readonly endSeconds: number;
}

export interface TimedTranscript {
  readonly text: string;
  /** Of a beam search, higher is better; null: greedy, or a class. */
  readonly score: number | null;
  readonly parts: readonly TimedPart[];
}

export interface Transcriber {
  readonly settings: HeadSettings;
  /** How logits are decoded. */
  readonly decoding: string;
  /** The `count` best transcripts of a 16 kHz mono waveform, best first. */
  transcribe(wave: Float32Array, count?: number): Promise<TimedTranscript[]>;
  /** The same of a file of `samples` samples at 16 kHz, read in windows where it is longer than a minute (unless `window` is off). */
  transcribeFile(file: AudioFileSpan, count?: number): Promise<TimedTranscript[]>;
  dispose(): Promise<void>;
}

/** A file, or a part of one, with its length after resampling to 16 kHz. */
export interface AudioFileSpan {
  readonly path: string;
  readonly samples: number;
  readonly segment?: Segment;
}

/** @throws StillwaveError for a run without a head, or an upstream that is not the one the head was trained on. */
export async function openTranscriber(options: TranscriberOptions): Promise<Transcriber> {
  const { run, device, threads } = options;
  const folder = join(run, EVALUATION_FILES.head);
  const folds = existsSync(folder)
    ? []
    : (await readdir(run).catch(() => [])).filter((name) => name.startsWith("fold-"));
  if (folds.length > 0)
    throw new StillwaveError(
      `${run}: has a head for each fold; give one of them, such as ${join(run, folds.sort()[0])}`,
    );
  const { settings, parameters } = await readHead(folder);
  const { objective: spec, config, input } = settings;
  if (spec.kind === "classes" && options.decoding)
    throw new StillwaveError(`${run}: its answers are classes; there is nothing to decode by beam search`);
  const decoding = spec.kind === "ctc" ? await createDecoding(spec, options.decoding, options.onNote) : undefined;
  const where = { device, threads };
  const name = options.upstream ?? settings.upstream.spec;
  const upstream = await openUpstream(name, { ...settings.upstream.options, ...where }).catch((error: unknown) => {
    if (error instanceof StillwaveError && options.upstream === undefined)
      error.message += `; it is the upstream that ${run} was trained on: if it has moved, name it with --upstream`;
    throw error;
  });
  try {
    checkUpstream(upstream, settings, run);
    const runtime = await createRuntime(where);
    const head = new Head({ config, input, dtype: "float32", parameters, runtime });
    const windows = windowSettings(options, upstream.windowSeconds);
    return transcriberOf({ settings, upstream, head, decoding, windows, onNote: options.onNote });
  } catch (error) {
    await upstream.dispose();
    throw error;
  }
}

function checkUpstream(upstream: Upstream, { upstream: wanted, input }: HeadSettings, run: string): void {
  if (upstream.fingerprint === wanted.fingerprint) return;
  const shape = upstream.layers.length !== input.layers || upstream.dim !== input.dim;
  const detail = shape
    ? `it gives ${upstream.layers.length} hidden states of ${upstream.dim}, the head reads ${input.layers} of ${input.dim}`
    : "its weights or options differ";
  throw new StillwaveError(
    `${upstream.name}: not the upstream that the head in ${run} was trained on: ${detail}; name that one with --upstream, or train a head for this one`,
  );
}

interface TranscriberParts extends Pick<TranscriberOptions, "onNote"> {
  readonly settings: HeadSettings;
  readonly upstream: Upstream;
  readonly head: Head;
  readonly decoding: Decoding | undefined;
  readonly windows: WindowSettings | undefined;
}

function transcriberOf({ settings, upstream, head, decoding, windows, onNote }: TranscriberParts): Transcriber {
  const objective = createObjective(settings.objective);
  const { config } = settings;
  const frameSeconds = (upstream.samplesPerFrame * (config.kind === "bilstm" ? config.stack : 1)) / SAMPLE_RATE_HZ;
  const transcripts = (output: HeadOutput, samples: number, count: number): TimedTranscript[] => {
    const endSeconds = samples / SAMPLE_RATE_HZ;
    if (!decoding) {
      const [text] = objective.readings[0].answers(output).map(String);
      return [{ text, score: null, parts: [{ text, startSeconds: 0, endSeconds }] }];
    }
    return decoding.decode(logitsOf(output, 0), count).map(({ text, score, parts }) => ({
      text,
      score,
      parts: parts.map((part) => ({
        text: part.text,
        startSeconds: part.startFrame * frameSeconds,
        endSeconds: Math.min(endSeconds, part.endFrame * frameSeconds),
      })),
    }));
  };
  const transcribe = async (wave: Float32Array, count = 1) => {
    const [{ frames, data }] = await upstream.extract([wave]);
    const shape = [upstream.layers.length, 1, frames, upstream.dim] as const;
    return transcripts(await head.infer({ data, shape, frames: [frames] }), wave.length, count);
  };
  let noted = false;
  return {
    settings,
    decoding: decoding?.name ?? "largest logit",
    transcribe,
    async transcribeFile({ path, samples, segment }, count = 1) {
      if (!windows || !isLong(samples, windows)) return transcribe(await loadAudio(path, segment), count);
      if (upstream.kind !== "model" && !noted)
        onNote?.(
          `${upstream.name}: recordings above ${WHOLE_SECONDS} s are read in windows of ${windows.windowSeconds} s, each normalised by itself: ${upstream.kind === "onnx" ? "an exported file" : "a filterbank"} takes no statistics of the whole`,
        );
      noted = true;
      const recording = { samples, pieces: () => streamAudio(path, segment) };
      return transcripts(await inferLong(upstream, head, recording, windows), samples, count);
    },
    async dispose() {
      await head.release();
      await upstream.dispose();
    },
  };
}
