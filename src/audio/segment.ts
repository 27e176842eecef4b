// A part of a recording: where it begins and how long it is, and whether a recording has it.
import { StillwaveError } from "../errors.ts";
import { resampledLength } from "./signal/resample.ts";

/** A part of a recording. */
export interface Segment {
  /** First sample. */
  readonly start: number;
  readonly samples: number;
  /** Rate that both are counted at: the file's own, as `probeAudio` gives it. */
  readonly sampleRateHz: number;
}

/** The segment in a recording that was decoded at another rate than its header's. Rounding may put its end one sample too far. */
export function segmentAt({ start, samples, sampleRateHz: from }: Segment, sampleRateHz: number): Segment {
  if (from === sampleRateHz) return { start, samples, sampleRateHz };
  const begin = Math.round((start * sampleRateHz) / from);
  return { start: begin, samples: resampledLength(samples, from, sampleRateHz), sampleRateHz };
}

/** `1.5 to 2.25 s`, for messages. */
export function describeSegment({ start, samples, sampleRateHz }: Segment): string {
  const seconds = (count: number) => Number((count / sampleRateHz).toFixed(6));
  return `${seconds(start)} to ${seconds(start + samples)} s`;
}

/** @throws StillwaveError where `segment` is not inside a recording of `samples`. */
export function checkInside(segment: Segment, samples: number, path: string): void {
  if (segment.start + segment.samples <= samples) return;
  throw new StillwaveError(
    `${path}: its segment of ${describeSegment(segment)} runs past the end of the recording, ${Number((samples / segment.sampleRateHz).toFixed(6))} s`,
  );
}
