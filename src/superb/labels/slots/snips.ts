// Sentences with slots: Audio SNIPS (Lai et al., arXiv:2010.13105) in the benchmark's layout, or a table with aligned slots.
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { readLines, readText } from "../../../data/lines.ts";
import { TRANSCRIPT_NAMES, textOf } from "../../../data/list/entry.ts";
import { StillwaveError } from "../../../errors.ts";
import { listSome } from "../../../tokens.ts";
import { type LabelledFile, SPLITS, type Split, splitNamed, type UnsplitFile } from "../classes.ts";
import { labelRows, openLabelTable } from "../table.ts";
import { NO_SLOT, slotsOfFile } from "./slot-text.ts";

/** A file, its words, and the slot of each of them. */
export interface SlottedFile extends Omit<LabelledFile, "labels"> {
  readonly words: readonly string[];
  readonly slots: readonly string[];
}

export interface SlottedCorpus {
  /** Names of slots in the order of the vocabulary. */
  readonly slots: readonly string[];
  readonly files: readonly SlottedFile[];
  readonly notes: readonly string[];
}

const SENTENCES = "all.iob.snips.txt";
const SLOTS = "slots.txt";
const FOLDERS: Readonly<Record<Split, string>> = { train: "train", dev: "valid", test: "test" };

/** The benchmark's speakers; where a folder has some of them, the others in it are none of the benchmark's. */
const SPEAKERS: Readonly<Record<Split, readonly string[]>> = {
  train: ["Ivy", "Joanna", "Joey", "Justin", "Kendra", "Kimberly", "Matthew", "Salli"],
  dev: ["Aditi", "Amy", "Geraint", "Nicole"],
  test: ["Brian", "Emma", "Raveena", "Russell"],
};

export const isSnips = (root: string): boolean => existsSync(join(root, SENTENCES));

interface Sentence {
  readonly words: readonly string[];
  readonly slots: readonly string[];
}

/** `<id> BOS <WORDS> EOS<TAB>O <slots> <Intent>`: words and slots without what stands for begin and end. */
export function parseSentence(text: string, place: string): Sentence & { readonly id: string } {
  const [said, tags, ...rest] = text.split("\t");
  const [id, begin, ...words] = said.trimEnd().split(" ");
  const slots = tags?.trim().split(" ") ?? [];
  if (rest.length > 0 || begin !== "BOS" || words.pop() !== "EOS" || !id)
    throw new StillwaveError(
      `${place}: expected <id> BOS <words> EOS, a tab, O <slots> <intent>, got "${text.slice(0, 80)}"`,
    );
  if (slots.length !== words.length + 2)
    throw new StillwaveError(
      `${place}: ${words.length} words between BOS and EOS, and ${slots.length} slots; one for each of them, BOS and EOS are expected`,
    );
  return { id, words, slots: slots.slice(1, -1) };
}

async function readSlotNames(file: string): Promise<string[]> {
  const text = await readText(file, "slot");
  const [first] = text.split(/\r?\n/);
  // the first line is dropped, whatever it says
  if (first !== NO_SLOT)
    throw new StillwaveError(
      `${file}:1: expected ${NO_SLOT} before the names of the slots, got "${first.slice(0, 80)}"`,
    );
  return slotsOfFile(text);
}

/** @throws StillwaveError with file and line for anything malformed, or listing recordings without a sentence */
export async function readSnips(root: string): Promise<SlottedCorpus> {
  const sentences = new Map<string, Sentence>();
  const file = join(root, SENTENCES);
  const slots = await readSlotNames(join(root, SLOTS));
  const known = new Set([...slots, NO_SLOT]);
  for (const { number, text } of await readLines(file, "sentence")) {
    const { id, ...sentence } = parseSentence(text, `${file}:${number}`);
    if (sentences.has(id)) throw new StillwaveError(`${file}:${number}: ${id} was on an earlier line already`);
    const strange = sentence.slots.filter((slot) => !known.has(slot));
    if (strange.length > 0)
      throw new StillwaveError(`${file}:${number}: slots that are not in ${SLOTS}: ${listSome(strange, 5)}`);
    sentences.set(id, sentence);
  }
  const files: SlottedFile[] = [];
  const [notes, mute]: [string[], string[]] = [[], []];
  for (const split of SPLITS) {
    const folder = join(root, FOLDERS[split]);
    const names = (await readdir(folder).catch(() => [] as string[]))
      .filter((name) => /^[^.].*\.wav$/i.test(name))
      .sort();
    const hasSpeakers = names.some((name) => SPEAKERS[split].includes(speakerOf(name)));
    const taken = hasSpeakers ? names.filter((name) => SPEAKERS[split].includes(speakerOf(name))) : names;
    if (taken.length < names.length)
      notes.push(
        `${folder}: ${names.length - taken.length} recordings of speakers that the benchmark has elsewhere are left out`,
      );
    for (const name of taken) {
      const id = basename(name, name.slice(-4));
      // sentences are listed by speaker or once for all of them
      const sentence = sentences.get(id) ?? sentences.get(id.slice(id.indexOf("-") + 1));
      if (sentence) files.push({ id, path: join(folder, name), split, ...sentence });
      else mute.push(join(FOLDERS[split], name));
    }
  }
  if (mute.length > 0)
    throw new StillwaveError(`${file}: no sentence of ${mute.length} recordings: ${listSome(mute, 5)}`);
  return { slots, files, notes };
}

const speakerOf = (name: string) => name.slice(0, name.indexOf("-"));

/**
 * Reads a table with columns for the file, the split, the text and `slots`, the slot of each word or O. Words are compared
 * in upper case. Slots are ordered by slots.txt beside the table, else by falling frequency in training.
 * @throws StillwaveError with file and line for a row whose words and slots differ in number
 */
export async function readSlotTable(file: string): Promise<SlottedCorpus> {
  const table = await openLabelTable(file);
  for (const [what, names] of [
    ["slots", ["slots"]],
    ["text", TRANSCRIPT_NAMES],
    ["split", ["split"]],
  ] as const)
    if (!names.some((name) => table.columns.includes(name)))
      throw new StillwaveError(
        `${file}:1: the header line has no column ${what}; it has ${listSome(table.columns, 20)}`,
      );
  const files = labelRows(table, []).map(({ entry, split, labels: _, ...row }): SlottedFile => {
    const [text = "", tags = ""] = [textOf(entry, TRANSCRIPT_NAMES), textOf(entry, ["slots"])];
    const words = text.normalize("NFC").toUpperCase().trim().split(" ");
    const slots = tags.trim().split(" ");
    if (words.length !== slots.length || words[0] === "")
      throw new StillwaveError(
        `${row.place}: ${text.trim() === "" ? 0 : words.length} words and ${tags.trim() === "" ? 0 : slots.length} slots; one slot, or O, is expected for each word, parted by single blanks`,
      );
    return { ...(row satisfies Omit<UnsplitFile, "labels">), split: splitNamed(split ?? "", row.place), words, slots };
  });
  const listed = join(file, "..", SLOTS);
  const slots = existsSync(listed) ? await readSlotNames(listed) : slotsByFrequency(files);
  const unknown = new Set(
    files.flatMap((one) => one.slots).filter((slot) => slot !== NO_SLOT && !slots.includes(slot)),
  );
  if (unknown.size > 0)
    throw new StillwaveError(
      `${file}: slots that are not in ${existsSync(listed) ? listed : "training"}: ${listSome([...unknown].sort(), 20)}`,
    );
  return { slots, files, notes: [] };
}

/** Of training words, the most frequent first. */
function slotsByFrequency(files: readonly SlottedFile[]): string[] {
  const counts = new Map<string, number>();
  for (const { split, slots } of files)
    if (split === "train")
      for (const slot of slots) if (slot !== NO_SLOT) counts.set(slot, (counts.get(slot) ?? 0) + 1);
  return [...counts.keys()].sort((a, b) => counts.get(b)! - counts.get(a)! || (a < b ? -1 : 1));
}
