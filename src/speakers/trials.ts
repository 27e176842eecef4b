// Trial lists of speaker verification: read in VoxCeleb's and Kaldi's form, written, and made for corpora that have none.
import type { Line } from "../data/lines.ts";
import { StillwaveError } from "../errors.ts";
import { Random } from "../random.ts";
import { tokensOf } from "../tokens.ts";

const ANSWERS: Readonly<Record<string, boolean>> = { "1": true, "0": false, target: true, nontarget: false };

const REMEDY = "test takes a list by --trials, dev another split by --dev";

/** A question about two utterances of a split: are they by one speaker? */
export interface Trial {
  readonly first: string;
  readonly second: string;
  readonly isTarget: boolean;
}

/** What trials are made of. */
export interface Voice {
  readonly id: string;
  readonly speaker: string;
  /** Recordings of one session are alike for other reasons than the voice. */
  readonly session: string;
  /** Where it is known. */
  readonly sex?: string;
}

/**
 * Reads `<0|1> <recording> <recording>`, or `<recording> <recording> <target|nontarget>`.
 * @param voiceOf finds a recording by the name that the list gives it
 * @throws StillwaveError with file and line for anything malformed, recordings that are not there, and answers that speakers contradict
 */
export function parseTrials(
  lines: readonly Line[],
  file: string,
  voiceOf: (name: string) => Pick<Voice, "id" | "speaker"> | undefined,
): Trial[] {
  return lines.map(({ number, text }) => {
    const place = `${file}:${number}`;
    const fields = tokensOf(text);
    const isFirst = Object.hasOwn(ANSWERS, fields[0] ?? "");
    const [answer, ...names] = isFirst ? fields : [fields[2] ?? "", fields[0], fields[1]];
    if (fields.length !== 3 || !Object.hasOwn(ANSWERS, answer))
      throw new StillwaveError(`${place}: expected "<0|1> <recording> <recording>", got "${text.trim().slice(0, 80)}"`);
    const [first, second] = names.map((name) => {
      const voice = voiceOf(name);
      if (!voice) throw new StillwaveError(`${place}: no recording "${name}" in the corpus`);
      return voice;
    });
    const isTarget = ANSWERS[answer];
    if (isTarget !== (first.speaker === second.speaker))
      throw new StillwaveError(
        `${place}: says ${isTarget ? "one speaker" : "two speakers"}, but the recordings are of ${first.speaker} and ${second.speaker}`,
      );
    return { first: first.id, second: second.id, isTarget };
  });
}

/** The list in VoxCeleb's form. */
export const trialLines = (trials: readonly Trial[]): string =>
  trials.map(({ first, second, isTarget }) => `${isTarget ? 1 : 0} ${first} ${second}\n`).join("");

/**
 * @param where what the trials are of, for the message
 * @throws StillwaveError unless some are of one speaker and some of two
 */
export function refuseOneKind(trials: readonly Trial[], where: string): void {
  const targets = trials.filter(({ isTarget }) => isTarget).length;
  if (targets > 0 && targets < trials.length) return;
  const kind = targets > 0 ? "of one speaker" : "of two speakers";
  const all = trials.length === 0 ? "no trials are left" : `all ${trials.length} trials are ${kind}`;
  throw new StillwaveError(`${where}: ${all}; an equal error rate needs trials of one speaker and of two`);
}

export interface MakeOptions {
  readonly seed: number;
  /** Most trials of one speaker; default 10,000. */
  readonly most?: number;
  /** What the recordings are of, for messages. */
  readonly of?: string;
}

/**
 * Trials for a corpus without a list: all pairs of one speaker from different sessions (from one, of speakers that have one
 * only), and as many pairs of different speakers, of one sex where that is known. Of more than `most` pairs as many are drawn.
 * @throws StillwaveError where there are no two recordings of a speaker, or no two speakers
 */
export function makeTrials(voices: readonly Voice[], { seed, most = 10_000, of = "the corpus" }: MakeOptions): Trial[] {
  const sorted = voices.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const targets = someOf(samePairs(sorted), most, new Random(seed, "trials", "same"));
  if (targets.length === 0)
    throw new StillwaveError(`${of}: no trials can be made: no speaker has two recordings; ${REMEDY}`);
  const others = differentPairs(sorted, targets.length, new Random(seed, "trials", "different"));
  if (others.length === 0)
    throw new StillwaveError(`${of}: no trials can be made: there is only one speaker; ${REMEDY}`);
  return [...targets, ...others].sort((a, b) => (a.first + a.second < b.first + b.second ? -1 : 1));
}

function samePairs(voices: readonly Voice[]): Trial[] {
  const bySpeaker = new Map<string, Voice[]>();
  for (const voice of voices) bySpeaker.set(voice.speaker, [...(bySpeaker.get(voice.speaker) ?? []), voice]);
  return [...bySpeaker.values()].flatMap((own) => {
    const isOneSession = new Set(own.map(({ session }) => session)).size === 1;
    return own.flatMap((a, i) =>
      own
        .slice(i + 1)
        .filter((b) => isOneSession || a.session !== b.session)
        .map((b): Trial => ({ first: a.id, second: b.id, isTarget: true })),
    );
  });
}

/** In their order, so many of a list. */
function someOf<T>(list: readonly T[], most: number, random: Random): T[] {
  if (list.length <= most) return [...list];
  const places = random.shuffle([...list.keys()]).slice(0, most);
  return places.sort((a, b) => a - b).map((place) => list[place]);
}

function differentPairs(voices: readonly Voice[], count: number, random: Random): Trial[] {
  const partners = (a: Voice) => voices.filter((b) => b.speaker !== a.speaker && b.sex === a.sex);
  const known = new Map(voices.map((a) => [`${a.speaker}\0${a.sex}`, partners(a)]));
  const isPaired = [...known.values()].some((list) => list.length > 0);
  // speakers who are the only ones of their sex are held against everybody where nobody else can be
  const others = (a: Voice) => (isPaired ? known.get(`${a.speaker}\0${a.sex}`) : undefined) ?? voices.filter((b) => b.speaker !== a.speaker); // biome-ignore format: one line
  const found = new Map<string, Trial>();
  const enough = 20 * count;
  for (let tries = 0; found.size < count && tries < enough; tries++) {
    const a = voices[random.integer(voices.length)];
    const candidates = others(a);
    if (candidates.length === 0) continue;
    const [first, second] = [a.id, candidates[random.integer(candidates.length)].id].sort();
    found.set(`${first}\0${second}`, { first, second, isTarget: false });
  }
  return [...found.values()];
}
