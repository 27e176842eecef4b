// How a long recording is cut into overlapping windows, and which frames of each are kept: their middles, without a gap.
import { StillwaveError, UsageError } from "../../errors.ts";
import type { HostArray } from "../../graph/array.ts";
import { type ModelConfig, SAMPLE_RATE_HZ, samplesPerFrame } from "../../models/config.ts";

/** How long recordings are read. Both in seconds. */
export interface WindowOptions {
  /** What attention sees at a time; `off`: whole recordings, as far as memory goes. Default: `usualWindowSeconds`. */
  readonly window?: number | "off";
  /** Shared by neighbouring windows, which keep half of it each. Default 4. */
  readonly overlap?: number;
}

/** Recordings up to this are always taken whole. */
export const WHOLE_SECONDS = 60;
/** Ten minutes and some: recordings up to this are one window, whose numbers are those of the whole. */
export const LONG_WINDOW_SECONDS = 720;
/** Hidden states of a window. At the peak they are there three times: in the engine, fetched, and those of the window before. */
const WINDOW_BYTES = 2 ** 28;
/** Of upstreams that make whole attention maps: exported files. */
export const SHORT_WINDOW_SECONDS = 30;
const OVERLAP_SECONDS = 4;
const LEAST_OVERLAP_SECONDS = 2.6;
const LONGEST_SECONDS = 4 * 3600;

/** The window of a model: twelve minutes, or less where the hidden states of so many would take too much memory. */
export function usualWindowSeconds({ layers, dim, conv }: Pick<ModelConfig, "layers" | "dim" | "conv">): number {
  const bytesPerSecond = (4 * (layers + 1) * dim * SAMPLE_RATE_HZ) / samplesPerFrame(conv);
  return Math.max(SHORT_WINDOW_SECONDS, Math.min(LONG_WINDOW_SECONDS, Math.floor(WINDOW_BYTES / bytesPerSecond)));
}

/** Checked and complete. */
export interface WindowSettings {
  readonly windowSeconds: number;
  readonly overlapSeconds: number;
}

/** Frames [start, end) are computed together, of which [keepFrom, keepTo) count. */
export interface WindowSpan {
  readonly start: number;
  readonly end: number;
  readonly keepFrom: number;
  readonly keepTo: number;
}

/** States of a span, [1, end - start, dim] each. */
export interface WindowStates {
  readonly span: WindowSpan;
  readonly arrays: readonly HostArray[];
}

/**
 * The settings that `options` mean; undefined: whole recordings.
 * @param usualSeconds the window where none is asked for
 * @throws UsageError for lengths that leave nothing to keep
 */
export function windowSettings(
  { window, overlap = OVERLAP_SECONDS }: WindowOptions,
  usualSeconds: number,
): WindowSettings | undefined {
  if (window === "off") return undefined;
  return checkedSettings(window ?? usualSeconds, overlap);
}

function checkedSettings(window: number, overlap: number): WindowSettings {
  if (!(overlap >= LEAST_OVERLAP_SECONDS))
    throw new UsageError(
      `overlap: ${overlap} s; expected at least ${LEAST_OVERLAP_SECONDS}: the positional convolution reads 1.28 s on either side`,
    );
  if (!(window >= 4 * overlap && window >= 10 && window <= LONGEST_SECONDS))
    throw new UsageError(
      `window: ${window} s; expected at least 10 and four times the overlap of ${overlap} s, at most ${LONGEST_SECONDS}, or off`,
    );
  return { windowSeconds: window, overlapSeconds: overlap };
}

/** Whether a recording of `samples` samples is read in windows. */
export const isLong = (samples: number, settings: WindowSettings | undefined): boolean =>
  settings !== undefined && samples > WHOLE_SECONDS * SAMPLE_RATE_HZ;

/**
 * Windows over `frames` frames of `shift` samples, all of one length, the last one moved back to the end. They
 * start, and are cut, at multiples of `multiple` frames.
 */
export function planWindows(
  frames: number,
  { windowSeconds, overlapSeconds }: WindowSettings,
  shift: number,
  multiple = 1,
): WindowSpan[] {
  const inFrames = (seconds: number) => Math.round((seconds * SAMPLE_RATE_HZ) / shift / multiple) * multiple;
  const length = inFrames(windowSeconds);
  const margin = Math.max(multiple, inFrames(overlapSeconds / 2));
  const spans: WindowSpan[] = [];
  for (let keepFrom = 0; keepFrom < frames; ) {
    const wanted = Math.max(0, keepFrom - margin);
    const isLast = wanted + length >= frames;
    const start = isLast ? Math.min(wanted, Math.floor(Math.max(0, frames - length) / multiple) * multiple) : wanted;
    const end = isLast ? frames : start + length;
    const keepTo = isLast ? frames : end - margin;
    spans.push({ start, end, keepFrom, keepTo });
    keepFrom = keepTo;
  }
  return spans;
}

/** Reads a recording from its start: 16 kHz mono pieces of any lengths. */
export type ReadPieces = () => AsyncIterable<Float32Array>;

/** A recording that is read in windows. */
export interface LongRecording {
  readonly samples: number;
  readonly pieces: ReadPieces;
}

/** @throws StillwaveError: decoding gave other than the samples that were expected */
export const changedLength = (samples: number) =>
  new StillwaveError(
    `its header said ${samples} samples at 16 kHz, decoding gave others: the header is wrong or the file changed`,
  );

/** The frames that count, [keepTo - keepFrom, dim], of a state of the span. */
export function keptRows({ span, arrays }: WindowStates, state: number): Float32Array {
  const { shape, data } = arrays[state];
  const dim = shape[2];
  return data.subarray((span.keepFrom - span.start) * dim, (span.keepTo - span.start) * dim);
}
