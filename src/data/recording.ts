// Recordings and parts of them, told apart: by a key, and by whether two of them share samples.
import { describeSegment, type Segment } from "../audio/segment.ts";

/** A file, or a part of it. */
export interface RecordingPart {
  readonly path: string;
  readonly segment?: Segment;
}

/** The path of a whole file; parts of one file have keys of their own. */
export const recordingKey = ({ path, segment }: RecordingPart): string =>
  segment ? `${path}\0${segment.start}+${segment.samples}` : path;

/** A file by name, and which part of it is meant. */
export const nameOf = ({ path, segment }: RecordingPart): string =>
  segment ? `${path} (${describeSegment(segment)})` : path;

/** Those of `others` that share samples of a file with one of `some`. */
export function sharing<T extends RecordingPart>(some: readonly RecordingPart[], others: readonly T[]): T[] {
  const parts = new Map<string, (Segment | undefined)[]>();
  for (const { path, segment } of some) {
    const known = parts.get(path);
    if (known) known.push(segment);
    else parts.set(path, [segment]);
  }
  return others.filter(({ path, segment }) => parts.get(path)?.some((part) => overlap(part, segment)));
}

const overlap = (a: Segment | undefined, b: Segment | undefined): boolean =>
  !a || !b || (a.start < b.start + b.samples && b.start < a.start + a.samples);
