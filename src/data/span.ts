// Parts of recordings as lists give them, in seconds or samples, and what they are once the file's rate and length are known.
import type { AudioProbe, Segment } from "../audio/index.ts";

/** A part of a recording. */
export interface Span {
  /** `samples` are counted at the file's own rate. */
  readonly unit: "seconds" | "samples";
  readonly start: number;
  /** The recording's end if left out. */
  readonly end?: number;
  /** Length that is given beside start and end: of the part, or of the whole recording. */
  readonly length?: number;
}

/** What a list says that the whole file holds. */
export interface DeclaredLength {
  readonly unit: Span["unit"];
  readonly length: number;
}

/** How far past the recording's end a part may run: times are written with two or three decimals. */
const OVERSHOOT_SECONDS = 0.01;
/** How far a declared length may be off, beside a hundredth of it: decoders of lossy files pad them differently. */
const LENGTH_TOLERANCE_SECONDS = 0.1;

type Length = Pick<AudioProbe, "samples" | "sampleRateHz">;

const seconds = (value: number): string => `${Number(value.toFixed(6))} s`;

/** The part in samples, undefined where it is the whole; a text says why there is none. */
export function segmentOf(span: Span, { samples, sampleRateHz }: Length): Segment | undefined | string {
  const count = (value: number) => (span.unit === "seconds" ? Math.round(value * sampleRateHz) : value);
  const start = count(span.start);
  const wanted = span.end === undefined ? samples : count(span.end);
  const spare = span.unit === "seconds" ? OVERSHOOT_SECONDS * sampleRateHz : 0;
  const end = wanted > samples && wanted <= samples + spare ? samples : wanted;
  const [from, to, total] = [start, end, samples].map((value) => seconds(value / sampleRateHz));
  if (start >= samples)
    return `its segment begins at ${from}, the recording ends at ${total}${unitHint(span, samples)}`;
  if (end > samples)
    return `its segment of ${from} to ${to} runs past the end of the recording, ${total}${unitHint(span, samples)}`;
  if (end <= start) return `its segment of ${from} to ${to} is empty`;
  const given = span.length === undefined ? undefined : count(span.length);
  if (given !== undefined && ![end - start, samples].some((one) => isNear(given, one, sampleRateHz)))
    return `its segment of ${from} to ${to} lasts ${seconds((end - start) / sampleRateHz)}, the manifest says ${seconds(given / sampleRateHz)} as well`;
  return start === 0 && end === samples ? undefined : { start, samples: end - start, sampleRateHz };
}

/** For seconds that would be samples of this recording. */
function unitHint({ unit, start, end = start }: Span, samples: number): string {
  const looksLikeSamples = unit === "seconds" && Number.isInteger(start) && Number.isInteger(end) && end <= samples;
  return looksLikeSamples ? " (seconds; samples are given as start_frame and end_frame)" : "";
}

/** Why a file is not what the list declares; undefined if it is. */
export function declaredProblem({ unit, length }: DeclaredLength, probe: AudioProbe): string | undefined {
  const { samples, samples16k, sampleRateHz } = probe;
  if (unit === "samples") {
    // lossless files are as long as they say; some lists count after resampling
    if (length === samples || length === samples16k) return undefined;
    return `the manifest says ${length} samples, the file has ${samples}; make the manifest again`;
  }
  if (isNear(length * sampleRateHz, samples, sampleRateHz)) return undefined;
  return `the manifest says ${seconds(length)}, the file has ${seconds(samples / sampleRateHz)}; make the manifest again, or give start and end if a part is meant`;
}

const isNear = (given: number, samples: number, rateHz: number): boolean =>
  Math.abs(given - samples) <= LENGTH_TOLERANCE_SECONDS * rateHz + samples / 100;
