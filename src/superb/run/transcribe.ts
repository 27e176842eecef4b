// A trained head on new audio: its upstream opened again, logits decoded, words and phones with their times.
import { join } from "node:path";
import { SAMPLE_RATE_HZ } from "../../audio/index.ts";
import { StillwaveError } from "../../errors.ts";
import { createRuntime } from "../../runtime/node/index.ts";
import type { Device } from "../../runtime/runtime.ts";
import { openUpstream } from "../../upstream/open.ts";
import type { Upstream } from "../../upstream/upstream.ts";
import { Head } from "../heads/step.ts";
import type { DecodingSettings } from "../recipe/schema.ts";
import { createDecoding, type Decoding } from "../tasks/decoding.ts";
import { createObjective, logitsOf } from "../tasks/objective.ts";
import { type HeadSettings, readHead } from "./head-folder.ts";
import { EVALUATION_FILES } from "./record.ts";

export interface TranscriberOptions {
  /** Folder of a finished evaluation. */
  readonly run: string;
  readonly decoding?: DecodingSettings;
  /** Where the upstream lies now, if it has moved. */
  readonly upstream?: string;
  readonly device?: Device | "auto";
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
  dispose(): Promise<void>;
}

/** @throws StillwaveError for a run without a head, or an upstream that is not the one the head was trained on. */
export async function openTranscriber(options: TranscriberOptions): Promise<Transcriber> {
  const { run, device, threads } = options;
  const folder = join(run, EVALUATION_FILES.head);
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
    return transcriberOf(settings, upstream, head, decoding);
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

function transcriberOf(
  settings: HeadSettings,
  upstream: Upstream,
  head: Head,
  decoding: Decoding | undefined,
): Transcriber {
  const objective = createObjective(settings.objective);
  const { config } = settings;
  const frameSeconds = (upstream.samplesPerFrame * (config.kind === "bilstm" ? config.stack : 1)) / SAMPLE_RATE_HZ;
  return {
    settings,
    decoding: decoding?.name ?? "largest logit",
    async transcribe(wave, count = 1) {
      const [states] = await upstream.extract([wave]);
      const { frames, data } = states;
      const shape = [upstream.layers.length, 1, frames, upstream.dim] as const;
      const output = await head.infer({ data, shape, frames: [frames] });
      const endSeconds = wave.length / SAMPLE_RATE_HZ;
      if (!decoding) {
        const [text] = objective.predict(output);
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
    },
    async dispose() {
      await head.release();
      await upstream.dispose();
    },
  };
}
