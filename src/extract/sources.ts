// The utterances to extract: files, folders and manifests, each with an id that names its output file.
import { stat } from "node:fs/promises";
import { basename, extname, resolve } from "node:path";
import { AUDIO_EXTENSIONS, MIN_SAMPLES, probeAudio } from "../audio/index.ts";
import { BadFiles, type OnBadFile, reasonOf } from "../data/bad-files.ts";
import { describeNotes, type FileNote } from "../data/file-notes.ts";
import { type BadFile, openCorpus, type Utterance } from "../data/index.ts";
import { beginsAsText } from "../data/lines.ts";
import { kaldiFolders } from "../data/list/kaldi.ts";
import { nameOf, recordingKey } from "../data/recording.ts";
import { StillwaveError, UsageError } from "../errors.ts";

/** An utterance whose file was there when it was listed: size and time tell whether it has changed since. */
export interface Source extends Utterance {
  readonly bytes: number;
  readonly mtimeMs: number;
}

interface Sources {
  /** In the order of the inputs; those of a manifest in its order, those of a folder sorted by id. */
  readonly utterances: readonly Source[];
  readonly badFiles: readonly BadFile[];
  /** What is worth knowing about files that are used. */
  readonly notes: readonly string[];
}

const MANIFEST_EXTENSIONS = [".tsv", ".jsonl", ".json", ".csv", ".scp"];

/**
 * Lists inputs: audio files, folders of them, manifests and Kaldi folders. The id of a file in a folder is its path there without extension (below the folder's name where there
 * are several inputs), that of a lone file its name. Two files with one id are an error.
 */
export async function listSources(
  inputs: readonly string[],
  options: { readonly onBadFile: OnBadFile; readonly minSamples?: number },
): Promise<Sources> {
  if (inputs.length === 0) throw new UsageError("extract: give at least one audio file or folder");
  const { onBadFile, minSamples = MIN_SAMPLES } = options;
  const bad = new BadFiles();
  const found: Utterance[] = [];
  const fileNotes: FileNote[] = [];
  const notes: string[] = [];
  for (const input of inputs) {
    const info = await stat(input).catch(() => undefined);
    if (!info) throw new StillwaveError(`${input}: no such file or folder; give audio files, folders or a manifest`);
    const kind = await kindOf(input, info.isDirectory());
    if (kind === "audio") {
      const one = await probeFile(resolve(input), minSamples, bad);
      if (one) found.push(one.utterance);
      if (one?.note) fileNotes.push({ path: input, note: one.note });
      continue;
    }
    const order = kind === "folder" ? "id" : "listed";
    const corpus = await openCorpus({ kind, path: input }, { onBadFile, minSamples, order });
    const prefix = inputs.length > 1 && kind === "folder" ? `${basename(resolve(input))}/` : "";
    for (const utterance of corpus.utterances) found.push({ ...utterance, id: prefix + checkedId(utterance) });
    for (const file of corpus.badFiles) bad.add(file.path, file.reason, file);
    notes.push(...corpus.warnings);
  }
  if (onBadFile === "stop") bad.throwIfAny(found.length + bad.count);
  bad.throwUnlessUsed(found.length);
  notes.unshift(...describeNotes(fileNotes));
  return { utterances: await withTimes(unique(found)), badFiles: bad.sorted(), notes };
}

/** What to take an input for. Lists are also told by their content; a file named like audio is never one. */
async function kindOf(input: string, isFolder: boolean): Promise<"audio" | "folder" | "manifest"> {
  if (isFolder) return kaldiFolders(input).length > 0 ? "manifest" : "folder";
  const extension = extname(input).toLowerCase();
  if (MANIFEST_EXTENSIONS.includes(extension)) return "manifest";
  return !AUDIO_EXTENSIONS.includes(extension) && (await beginsAsText(input)) ? "manifest" : "audio";
}

async function probeFile(
  path: string,
  minSamples: number,
  bad: BadFiles,
): Promise<{ readonly utterance: Utterance; readonly note?: string } | undefined> {
  try {
    const { samples16k: samples, note } = await probeAudio(path);
    if (samples >= minSamples) return { utterance: { id: basename(path, extensionOf(path)), path, samples }, note };
    bad.add(path, `too short: ${samples} samples at 16 kHz, at least ${minSamples} are needed`);
  } catch (error) {
    bad.add(path, reasonOf(error, path));
  }
  return undefined;
}

/** Only a known extension is cut off: `take.1` and `take.2` are two utterances. */
function extensionOf(path: string): string {
  const extension = extname(path);
  return AUDIO_EXTENSIONS.includes(extension.toLowerCase()) ? extension : "";
}

/** Ids of a manifest come from whoever wrote it: they must not lead out of the output folder. */
function checkedId({ id, path }: Utterance): string {
  const parts = id.split("/");
  const wrong = parts.some((part) => part === "" || part === "." || part === ".." || part.length > 200);
  if (wrong || /[\\\0]/.test(id))
    throw new StillwaveError(`${path}: its id "${id.slice(0, 200)}" cannot name an output file; give it a plain id`);
  return id;
}

function unique(found: Utterance[]): Utterance[] {
  const byId = new Map<string, Utterance>();
  for (const utterance of found) {
    const other = byId.get(utterance.id);
    if (other && recordingKey(other) !== recordingKey(utterance))
      throw new StillwaveError(
        `${nameOf(other)} and ${nameOf(utterance)} would both be written as "${utterance.id}"; extract them into two folders, or rename one`,
      );
    byId.set(utterance.id, utterance);
  }
  return [...byId.values()];
}

async function withTimes(utterances: readonly Utterance[]): Promise<Source[]> {
  return Promise.all(
    utterances.map(async (utterance) => {
      const { size: bytes, mtimeMs } = await stat(utterance.path);
      return { ...utterance, bytes, mtimeMs };
    }),
  );
}
