// IEMOCAP (Busso et al., 2008) in its own layout: sessions as folds, four emotions, with the benchmark's split files or without.
import { existsSync } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { z } from "zod";
import { readLines } from "../../../data/lines.ts";
import { StillwaveError } from "../../../errors.ts";
import { listSome } from "../../../tokens.ts";
import type { FoldedCorpus, Slot, UnsplitFile } from "../classes.ts";
import { drawnFolds, trainCount } from "./folds.ts";
import { torchPermutation } from "./torch-permutation.ts";

/** In the benchmark's order. */
const EMOTIONS = ["neu", "hap", "ang", "sad"] as const;

/** Labels of the corpus that count as another. */
const COUNTED_AS: Readonly<Record<string, string>> = { exc: "hap" };

const SLOTS: readonly Slot[] = [{ name: "emotion", values: EMOTIONS }];
const SESSION = /^Session(\d+)$/;

/** Folders `Session1`, `Session2`, ... below `folder`, by their numbers. */
async function sessionsIn(folder: string): Promise<{ readonly name: string; readonly session: string }[]> {
  const names = await readdir(folder).catch(() => [] as string[]);
  const found = names.flatMap((session) => {
    const number = SESSION.exec(session)?.[1];
    return number === undefined ? [] : [{ name: number, session }];
  });
  return found.sort((a, b) => Number(a.name) - Number(b.name));
}

export const isIemocap = async (root: string): Promise<boolean> => (await sessionsIn(root)).length > 0;

/**
 * Reads `SessionN/dialog/EmoEvaluation/*.txt` and the waves they name, each session a fold. Turns of other emotions are left
 * out, and so are those without a wave, which the notes count.
 * @param splitFiles the benchmark's `meta_data`, or a file in it; its lists are taken as they are, dev drawn as the benchmark does
 * @throws StillwaveError with file and line for anything malformed
 */
export async function readIemocap(root: string, splitFiles: string | undefined): Promise<FoldedCorpus> {
  if (splitFiles !== undefined) return readOfficial(root, await metaFolder(splitFiles));
  const groups = [];
  const notes: string[] = [];
  for (const { name, session } of await sessionsIn(root)) {
    const { files, unheard, others } = await readSession(join(root, session));
    groups.push({ name, what: session, files });
    if (unheard > 0) notes.push(`${join(root, session)}: ${unheard} turns without a wave are left out`);
    notes.push(`${join(root, session)}: ${files.length} turns, ${others} of other emotions left out`);
  }
  const empty = groups.filter(({ files }) => files.length === 0).map(({ what }) => what);
  if (empty.length > 0)
    throw new StillwaveError(
      `${root}: no turns in ${listSome(empty, 5)}; expected SessionN/dialog/EmoEvaluation/<dialog>.txt and SessionN/sentences/wav/<dialog>/<turn>.wav`,
    );
  const corpus = drawnFolds(groups, SLOTS, root);
  return { ...corpus, notes: [...notes, ...corpus.notes] };
}

async function readSession(folder: string) {
  const evaluations = join(folder, "dialog", "EmoEvaluation");
  const entries = await readdir(evaluations, { withFileTypes: true }).catch(() => []);
  // beside the files of dialogues there are folders of single annotators, and files that macOS left
  const names = entries
    .filter((entry) => !entry.isDirectory() && /^[^.].*\.txt$/.test(entry.name))
    .map(({ name }) => name);
  const files: UnsplitFile[] = [];
  let [unheard, others] = [0, 0];
  for (const name of names.sort()) {
    const file = join(evaluations, name);
    for (const { number, text } of await readLines(file, "emotion")) {
      if (!text.startsWith("[")) continue;
      const [, turn = "", label = ""] = text.split("\t").map((cell) => cell.trim());
      if (!/^[\w.-]+$/.test(turn) || label === "")
        throw new StillwaveError(
          `${file}:${number}: expected [start - end], turn, emotion, [V, A, D], parted by tabs, got "${text.slice(0, 80)}"`,
        );
      const emotion = COUNTED_AS[label] ?? label;
      const path = join(folder, "sentences", "wav", basename(name, ".txt"), `${turn}.wav`);
      if (!(EMOTIONS as readonly string[]).includes(emotion)) others++;
      else if (!existsSync(path)) unheard++;
      else files.push({ id: turn, path, labels: [emotion], place: `${file}:${number}` });
    }
  }
  return { files, unheard, others };
}

const TRAIN_LIST = "train_meta_data.json";
const TEST_LIST = "test_meta_data.json";
const MAX_BYTES = 2 ** 26;

const listSchema = z.object({
  labels: z.record(z.string(), z.int()),
  meta_data: z.array(z.object({ path: z.string().min(1), label: z.string() })).min(1),
});

/** The folder with `SessionN/train_meta_data.json`, of which `given` is that, one above or a list itself. */
async function metaFolder(given: string): Promise<string> {
  const isFile = (await stat(given).catch(() => undefined))?.isFile() === true;
  const places = isFile ? [dirname(dirname(given))] : [given, join(given, "meta_data")];
  for (const place of places) {
    const sessions = await sessionsIn(place);
    if (sessions.some(({ session }) => existsSync(join(place, session, TRAIN_LIST)))) return place;
  }
  throw new StillwaveError(
    `${given}: no split files there; expected the folder with Session1/${TRAIN_LIST} and the others`,
  );
}

async function readOfficial(root: string, meta: string): Promise<FoldedCorpus> {
  const known = new Map<string, UnsplitFile>();
  const missing: string[] = [];
  const read = async (file: string): Promise<UnsplitFile[]> => {
    const rows = await readList(file);
    return rows.map(({ path: name, label }, i) => {
      const path = join(root, name);
      if (!existsSync(path)) missing.push(name);
      const id = basename(name, ".wav");
      const before = known.get(id);
      if (before && (before.path !== path || before.labels[0] !== label))
        throw new StillwaveError(
          `${file}: meta_data[${i}]: ${id} is ${label} here and ${before.labels[0]} in ${before.place}`,
        );
      const one = before ?? { id, path, labels: [label], place: `${file}: meta_data[${i}]` };
      known.set(id, one);
      return one;
    });
  };
  const folds = [];
  for (const { name, session } of await sessionsIn(meta)) {
    const listed = await read(join(meta, session, TRAIN_LIST));
    const test = await read(join(meta, session, TEST_LIST));
    const order = torchPermutation(listed.length, 0).map((i) => listed[i]);
    const count = trainCount(listed.length);
    const source = `${session}/${TRAIN_LIST}, 20 % as dev by PyTorch's randperm with seed 0, as the benchmark`;
    folds.push({
      name,
      files: { train: order.slice(0, count), dev: order.slice(count), test },
      sources: { train: source, dev: source, test: `${session}/${TEST_LIST}` },
    });
  }
  if (missing.length > 0)
    throw new StillwaveError(
      `${root}: ${missing.length} recordings of the split files in ${meta} are not there: ${listSome(missing, 5)}`,
    );
  return { slots: SLOTS, folds, notes: [] };
}

async function readList(file: string) {
  const info = await stat(file).catch(() => undefined);
  if (!info?.isFile())
    throw new StillwaveError(`${file}: not there; the split files are one train and one test list a session`);
  if (info.size > MAX_BYTES) throw new StillwaveError(`${file}: ${info.size} bytes are too many for a split file`);
  let value: unknown;
  try {
    value = JSON.parse(await readFile(file, "utf8"));
  } catch (error) {
    throw new StillwaveError(`${file}: not valid JSON (${(error as Error).message})`);
  }
  const parsed = listSchema.safeParse(value);
  if (!parsed.success) {
    const [{ path, message }] = parsed.error.issues;
    throw new StillwaveError(`${file}: ${path.join(".")}: ${message}`);
  }
  const { labels, meta_data: rows } = parsed.data;
  const order = Object.keys(labels).sort((a, b) => labels[a] - labels[b]);
  if (order.join() !== EMOTIONS.join())
    throw new StillwaveError(`${file}: labels are ${order.join(", ")}; expected ${EMOTIONS.join(", ")} in this order`);
  const strange = rows.find(({ label }) => !Object.hasOwn(labels, label));
  if (strange)
    throw new StillwaveError(
      `${file}: ${strange.path} has the label "${strange.label}", which is not among its labels`,
    );
  return rows;
}
