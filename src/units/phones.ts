// Phones of frames, to judge units by: true ones where a file has a phone for every frame, else sequences spread evenly.
import { numberedLines, readText } from "../data/lines.ts";
import { StillwaveError } from "../errors.ts";
import { tokensOf } from "../tokens.ts";
import { Contingency, type UnitQuality } from "./quality.ts";
import type { UnitFile } from "./unit-file.ts";

export interface PhoneSource {
  /** Lines `utterance phone phone ...`. */
  readonly path: string;
  /**
   * `frames`: a phone for every frame, one every `frameMs`. `sequence`: what is said, without times: each phone is taken to
   * last as long as every other one of its utterance, silence unseen. Such numbers compare units of one corpus; they lie far
   * below those of true alignments.
   */
  readonly kind: "frames" | "sequence";
  /** Of `frames`; default 20. */
  readonly frameMs?: number;
}

export interface JudgedUnits extends UnitQuality {
  readonly utterances: number;
  /** Utterances without phones. */
  readonly without: number;
}

/** Phone labels may be so many units' time longer or shorter than the units: tools differ at the ends of recordings. */
const MOST_SURPLUS = 3;

/** @throws StillwaveError with file and line for an utterance that is there twice */
export async function readPhones(path: string): Promise<Map<string, readonly string[]>> {
  const phones = new Map<string, readonly string[]>();
  for (const { number, text } of numberedLines(await readText(path, "phones"))) {
    const [id, ...own] = tokensOf(text);
    if (phones.has(id)) throw new StillwaveError(`${path}:${number}: utterance "${id}" is there twice`);
    phones.set(id, own);
  }
  return phones;
}

/**
 * Purities and PNMI of units against phones, over the utterances that have both.
 * @throws StillwaveError where none has, or labels of frames do not fit the frames
 */
export async function judgeUnits(units: UnitFile, source: PhoneSource): Promise<JudgedUnits> {
  const phones = await readPhones(source.path);
  const counts = new Contingency(units.clusters);
  let without = 0;
  for (const id of units.ids) {
    const own = phones.get(id);
    const frames = units.of(id);
    if (!own || own.length === 0) without++;
    else
      for (const [t, phone] of phonesOf(own, frames.length, id, { units, source }).entries())
        counts.add(phone, frames[t]);
  }
  const utterances = units.ids.length - without;
  if (utterances === 0)
    throw new StillwaveError(
      `${source.path}: has phones of none of the ${units.ids.length} utterances; look at their ids`,
    );
  return { ...counts.quality(), utterances, without };
}

/** A phone for each of `frames` frames. */
function phonesOf(
  own: readonly string[],
  frames: number,
  id: string,
  { units, source }: { readonly units: UnitFile; readonly source: PhoneSource },
): string[] {
  const unitMs = units.samplesPerFrame / 16;
  const labelMs = source.kind === "frames" ? (source.frameMs ?? 20) : (frames * unitMs) / own.length;
  const there = (own.length * labelMs) / unitMs;
  if (source.kind === "frames" && Math.abs(there - frames) > MOST_SURPLUS)
    throw new StillwaveError(
      `${source.path}: utterance "${id}" has ${own.length} labels of ${labelMs} ms, which are ${there.toFixed(1)} frames of ` +
        `${unitMs} ms, and ${frames} units; give the labels' own frame length, or kind: sequence`,
    );
  const at = (t: number) => Math.min(own.length - 1, Math.floor(((t + 0.5) * unitMs) / labelMs));
  return Array.from({ length: frames }, (_, t) => own[at(t)]);
}
