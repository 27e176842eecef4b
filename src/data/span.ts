// Parts of recordings as lists give them, in seconds or samples, and what they are once the file's rate and length are known.
import { type AudioProbe, resampledLength, SAMPLE_RATE_HZ, type Segment } from "../audio/index.ts";

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

/** What a list says of an entry's length and part. */
export interface ListedPart {
  /** The part of the file that is meant; the whole if left out. */
  readonly span?: Span;
  /** What the list says the whole file holds. */
  readonly declared?: DeclaredLength;
  /** `list.tsv:12`: where a list names it. */
  readonly place?: string;
  /** Why the list's entry cannot be used. */
  readonly problem?: string;
}

/** How far past the recording's end a part may run: times are written with two or three decimals. */
const OVERSHOOT_SECONDS = 0.01;
/** How far a declared length may be off, beside a hundredth of it: decoders of lossy files pad them differently. */
const LENGTH_TOLERANCE_SECONDS = 0.1;

type Length = Pick<AudioProbe, "samples" | "sampleRateHz">;

const seconds = (value: number): string => `${Number(value.toFixed(6))} s`;

/** What an entry is of the file that `probe` describes; a text says why it cannot be used, and where the list has it. */
export function fitTo(
  { span, declared, place, problem }: ListedPart,
  probe: AudioProbe,
  minSamples: number,
): { readonly samples: number; readonly segment?: Segment } | string {
  const segment = problem === undefined && span ? segmentOf(span, probe) : undefined;
  const wrong = problem ?? (typeof segment === "string" ? segment : declared && declaredProblem(declared, probe));
  if (wrong !== undefined || typeof segment === "string") return `${wrong} (${place})`;
  const samples = segment ? resampledLength(segment.samples, segment.sampleRateHz, SAMPLE_RATE_HZ) : probe.samples16k;
  const short = `too short: ${samples} samples at 16 kHz, at least ${minSamples} are needed`;
  if (samples < minSamples) return span ? `${short} (${place})` : short;
  return segment ? { samples, segment } : { samples };
}

/** The part in samples, undefined where it is the whole; a text says why there is none. */
function segmentOf(span: Span, { samples, sampleRateHz }: Length): Segment | undefined | string {
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
function declaredProblem({ unit, length }: DeclaredLength, probe: AudioProbe): string | undefined {
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
