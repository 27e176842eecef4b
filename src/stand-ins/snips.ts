// Sentences with slots spoken by espeak-ng, in the layout of Audio SNIPS, whose recordings are synthetic too but not to be had.
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { readLines } from "../data/lines.ts";
import { StillwaveError, UsageError } from "../errors.ts";
import { makeFolder, writeFileAtomic } from "../files.ts";
import { Random } from "../random.ts";
import { NO_SLOT } from "../superb/labels/slots/slot-text.ts";
import { listSome } from "../tokens.ts";

export interface SpokenSnipsOptions {
  /** Folder with the annotation: `train`, `valid` and `test` with columns u_id, utterance, slot-labels, intent. */
  readonly annotation: string;
  readonly out: string;
  /** Of train, valid and test; every voice says every sentence of its split. */
  readonly voices: readonly number[];
  readonly sentences: readonly number[];
  readonly seed: number;
  readonly onProgress?: (done: number, total: number) => void;
}

export interface SpokenSnips {
  /** By split. */
  readonly recordings: Readonly<Record<string, number>>;
  /** Sentences of the annotation that are not spelled with A to Z, ' and &, as those with digits. */
  readonly unspelled: number;
}

/** Voices of espeak-ng by split: no voice is in two. */
const VOICES = {
  train: [
    ..."en-us+m3 en-us+f2 en-gb-x-rp+m6 en-us+f5".split(" "),
    ..."en-gb-scotland+m2 en-gb-x-gbclan+f1 en-us+m7 en-gb-x-rp+f3".split(" "),
  ],
  valid: ["en-us+m5", "en-gb-x-rp+f2", "en-gb-scotland+f4", "en-029+m1"],
  test: ["en-us+f4", "en-gb-x-gbclan+m5", "en-gb-scotland+m4", "en-gb-x-rp+f5"],
} as const;

const SPLITS = Object.keys(VOICES) as (keyof typeof VOICES)[];
const LANES = 2;
const MAX_BYTES = 2 ** 26;

interface Sentence {
  /** As it is spoken. */
  readonly text: string;
  readonly words: readonly string[];
  readonly slots: readonly string[];
  readonly intent: string;
}

/**
 * A row of the annotation as the benchmark spells it: without marks, words with hyphens parted, in upper case, slots
 * without their intent. undefined: it is not spelled with letters alone.
 * @throws StillwaveError naming `place` for a row that is none
 */
export function spelledSentence(row: string, place: string): Sentence | undefined {
  const [, text = "", tags = "", intent = ""] = row.split("\t").map((cell) => cell.trim());
  const [tokens, labels] = [text.split(" "), tags.split(" ")];
  if (text === "" || intent === "" || tokens.length !== labels.length)
    throw new StillwaveError(
      `${place}: expected u_id, utterance, a slot for each of its words, and intent, parted by tabs, got "${row.slice(0, 80)}"`,
    );
  const pairs = tokens.flatMap((token, i) => {
    const slot = labels[i].slice(labels[i].indexOf("/") + 1);
    const parts = token
      .replace(/[’‘]/g, "'")
      .replace(/[.,!?;/"“”]/g, "")
      .split(/[-–—]/);
    return parts.filter((part) => part !== "").map((part) => ({ word: part.toUpperCase(), slot }));
  });
  if (pairs.length === 0 || !pairs.every(({ word }) => /^[A-Z']+$|^&$/.test(word))) return undefined;
  return { text, words: pairs.map(({ word }) => word), slots: pairs.map(({ slot }) => slot), intent };
}

async function readAnnotation(folder: string, split: string) {
  const file = join(folder, split);
  const [header, ...rows] = await readLines(file, "sentence");
  if (!/^u_id\tutterance\tslot-labels\tintent\s*$/.test(header.text))
    throw new StillwaveError(`${file}:${header.number}: expected the columns u_id, utterance, slot-labels, intent`);
  const spelled = rows.map(({ number, text }) => spelledSentence(text, `${file}:${number}`));
  const sentences = spelled.filter((one) => one !== undefined);
  return { sentences, unspelled: spelled.length - sentences.length, file };
}

/** Slots of the words, the most frequent first. */
function slotsOf(sentences: readonly Sentence[]): string[] {
  const counts = new Map<string, number>();
  for (const slot of sentences.flatMap(({ slots }) => slots)) counts.set(slot, (counts.get(slot) ?? 0) + 1);
  counts.delete(NO_SLOT);
  return [...counts.keys()].sort((a, b) => counts.get(b)! - counts.get(a)! || (a < b ? -1 : 1));
}

const speakerOf = (voice: string) => voice.replace(/[^a-z0-9]/gi, "");

/**
 * Speaks sentences of the annotation into `<out>/{train,valid,test}`, with `all.iob.snips.txt`, `slots.txt` and `voices.tsv` beside them.
 * Recordings that are there already stay. Equal seeds, annotations and versions of espeak-ng make equal files.
 * @throws UsageError for counts that do not fit, StillwaveError for an annotation that is none, or without espeak-ng
 */
export async function speakSnips(options: SpokenSnipsOptions): Promise<SpokenSnips> {
  const { annotation, out, voices, sentences: counts, seed, onProgress } = options;
  for (const [i, split] of SPLITS.entries())
    if (!(voices[i] >= 1 && voices[i] <= VOICES[split].length && counts[i] >= 1))
      throw new UsageError(
        `${split}: ${counts[i]} sentences by ${voices[i]} voices; expected 1 sentence or more, and 1 to ${VOICES[split].length} voices`,
      );
  const jobs: { readonly voice: string; readonly text: string; readonly path: string }[] = [];
  const lines: string[] = [];
  let unspelled = 0;
  let slots: readonly string[] = [];
  for (const [i, split] of SPLITS.entries()) {
    const read = await readAnnotation(annotation, split);
    unspelled += read.unspelled;
    if (read.sentences.length < counts[i])
      throw new StillwaveError(
        `${read.file}: ${read.sentences.length} sentences can be spelled, ${counts[i]} are asked for`,
      );
    if (split === "train") slots = slotsOf(read.sentences);
    const chosen = new Random(seed, "snips", split).shuffle([...read.sentences]).slice(0, counts[i]);
    for (const [n, sentence] of chosen.entries()) {
      const strange = sentence.slots.filter((slot) => slot !== NO_SLOT && !slots.includes(slot));
      if (strange.length > 0)
        throw new StillwaveError(`${read.file}: slots that training does not have: ${listSome(strange, 5)}`);
      for (const voice of VOICES[split].slice(0, voices[i])) {
        const id = `${speakerOf(voice)}-snips-${split}-${n}`;
        jobs.push({ voice, text: sentence.text, path: join(out, split, `${id}.wav`) });
        const { words, slots: tags, intent } = sentence;
        lines.push(`${id} BOS ${words.join(" ")} EOS\t${NO_SLOT} ${tags.join(" ")} ${intent}`);
      }
    }
    await makeFolder(join(out, split));
  }
  await speakAll(jobs, onProgress);
  const spoken = SPLITS.flatMap((split, i) => VOICES[split].slice(0, voices[i]).map((voice) => `${split}\t${voice}\n`));
  // what tells this corpus from the benchmark's own
  await writeFileAtomic(join(out, "voices.tsv"), `split\tvoice of espeak-ng\n${spoken.join("")}`);
  await writeFileAtomic(join(out, "slots.txt"), [NO_SLOT, ...slots].join("\n"));
  await writeFileAtomic(join(out, "all.iob.snips.txt"), lines.map((line) => `${line}\n`).join(""));
  const recordings = Object.fromEntries(SPLITS.map((split, i) => [split, voices[i] * counts[i]]));
  return { recordings, unspelled };
}

async function speakAll(
  jobs: readonly { readonly voice: string; readonly text: string; readonly path: string }[],
  onProgress: SpokenSnipsOptions["onProgress"],
): Promise<void> {
  let [next, done] = [0, 0];
  const lane = async () => {
    while (next < jobs.length) {
      const { voice, text, path } = jobs[next++];
      if (!existsSync(path)) await writeFileAtomic(path, await speak(voice, text));
      onProgress?.(++done, jobs.length);
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

/** A WAV file of the text. */
function speak(voice: string, text: string): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const args = ["-v", voice, "--stdin", "--stdout"];
    const child = execFile("espeak-ng", args, { encoding: "buffer", maxBuffer: MAX_BYTES }, (error, wave, messages) => {
      const isMissing = error !== null && "code" in error && error.code === "ENOENT";
      if (isMissing)
        reject(new StillwaveError("espeak-ng is not there; install it (Debian and Ubuntu: apt-get install espeak-ng)"));
      else if (error || wave.length <= 44 || messages.length > 0)
        reject(new StillwaveError(`espeak-ng, voice ${voice}: ${String(messages).trim() || "it said nothing"}`));
      else resolve(withLengths(wave));
    });
    child.stdin?.on("error", () => {});
    child.stdin?.end(text);
  });
}

/** On a pipe espeak-ng cannot know how long the sound is when it writes the header. */
function withLengths(wave: Buffer): Uint8Array {
  wave.writeUInt32LE(wave.length - 8, 4);
  wave.writeUInt32LE(wave.length - 44, 40);
  return wave;
}
