// Recordings and parts of them, told apart: by a key, and by whether two of them share samples.
import { describeSegment, type Segment } from "../audio/segment.ts";

/** What is made of a recording before anything reads it. */
export type Making =
  /** Its silences are cut out, as SoX does (audio/signal/silence.ts). */
  | { readonly kind: "trimmed" }
  /** It is added to others, each times its gain, from their beginnings on; a segment is one of the sum. */
  | { readonly kind: "mixed"; readonly gain: number; readonly others: readonly MixedFile[] };

interface MixedFile {
  readonly path: string;
  readonly gain: number;
}

/** A file, or a part of it, and what is made of it. */
export interface RecordingPart {
  readonly path: string;
  readonly segment?: Segment;
  readonly making?: Making;
}

/** These fields alone, of something that has more. */
export const partOf = ({ path, segment, making }: RecordingPart): RecordingPart => ({
  path,
  ...(segment && { segment }),
  ...(making && { making }),
});

/** The path of a whole file as it is; parts of one file, and what is made of it, have keys of their own. */
export const recordingKey = ({ path, segment, making }: RecordingPart): string =>
  `${path}${segment ? `\0${segment.start}+${segment.samples}` : ""}${making ? `\0${JSON.stringify(making)}` : ""}`;

/** The files that it takes. */
export const filesOf = ({ path, making }: RecordingPart): readonly string[] =>
  making?.kind === "mixed" ? [path, ...making.others.map((other) => other.path)] : [path];

/** A file by name, and which part of it is meant. */
export function nameOf(recording: RecordingPart): string {
  const name = filesOf(recording).join(" + ");
  return recording.segment ? `${name} (${describeSegment(recording.segment)})` : name;
}

/** Those of `others` that share samples of a file with one of `some`. */
export function sharing<T extends RecordingPart>(some: readonly RecordingPart[], others: readonly T[]): T[] {
  const parts = new Map<string, (Segment | undefined)[]>();
  for (const one of some)
    for (const path of filesOf(one)) {
      const known = parts.get(path);
      if (known) known.push(one.segment);
      else parts.set(path, [one.segment]);
    }
  return others.filter((other) =>
    filesOf(other).some((path) => parts.get(path)?.some((part) => overlap(part, other.segment))),
  );
}

const overlap = (a: Segment | undefined, b: Segment | undefined): boolean =>
  !a || !b || (a.start < b.start + b.samples && b.start < a.start + a.samples);
