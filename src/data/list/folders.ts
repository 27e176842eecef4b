// Lists folders: LibriSpeech's layout, and any tree of audio files.
import type { Dirent } from "node:fs";
import { readdir, realpath, stat } from "node:fs/promises";
import { basename, dirname, extname, join, resolve } from "node:path";
import { AUDIO_EXTENSIONS } from "../../audio/index.ts";
import { StillwaveError } from "../../errors.ts";
import type { CorpusKind, CorpusSource, Listed } from "../corpus.types.ts";
import { numberedLines, readText } from "../lines.ts";
import { kaldiFolders } from "./kaldi.ts";
import { checkSplits, sortedById } from "./source.ts";

interface Entry {
  readonly name: string;
  readonly path: string;
  readonly isFolder: boolean;
}

const isAudioName = (name: string) => AUDIO_EXTENSIONS.includes(extname(name).toLowerCase());

/** Visible files and folders of `path`, symbolic links followed, by name. Dangling links count as files. */
async function entriesOf(path: string): Promise<Entry[]> {
  let found: Dirent[];
  try {
    found = await readdir(path, { withFileTypes: true });
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOENT") throw new StillwaveError(`${path}: no such folder`);
    if (code === "ENOTDIR") throw new StillwaveError(`${path}: a file, where a folder was expected`);
    throw new StillwaveError(`${path}: cannot be listed (${(error as Error).message})`);
  }
  const visible = found.filter((entry) => !entry.name.startsWith("."));
  const entries = visible.map(async (entry): Promise<Entry> => {
    const full = join(path, entry.name);
    const info = entry.isSymbolicLink() ? await stat(full).catch(() => undefined) : entry;
    return { name: entry.name, path: full, isFolder: info?.isDirectory() === true };
  });
  return (await Promise.all(entries)).sort((a, b) => (a.name < b.name ? -1 : 1));
}

const foldersOf = async (path: string) => (await entriesOf(path)).filter((entry) => entry.isFolder);

/** True if `<speaker>/<chapter>/` with a transcript or an audio file named after both lies under `path`. */
async function holdsSpeakers(path: string): Promise<boolean> {
  for (const speaker of (await foldersOf(path)).slice(0, 3)) {
    for (const chapter of (await foldersOf(speaker.path)).slice(0, 3)) {
      const stem = `${speaker.name}-${chapter.name}`;
      const belongs = ({ name, isFolder }: Entry) =>
        !isFolder && (name === `${stem}.trans.txt` || (name.startsWith(`${stem}-`) && isAudioName(name)));
      if ((await entriesOf(chapter.path)).some(belongs)) return true;
    }
  }
  return false;
}

/** Says what lies at `source.path`: a folder with a wav.scp, or of such folders, is Kaldi's; a split of LibriSpeech given by itself becomes its parent with that one split. */
export async function detectSource(source: CorpusSource): Promise<CorpusSource & { kind: CorpusKind }> {
  const path = resolve(source.path);
  if (source.kind) return { ...source, path, kind: source.kind };
  const info = await stat(path).catch(() => undefined);
  if (!info)
    throw new StillwaveError(`${source.path}: no such file or folder; give a folder of speech or a manifest file`);
  if (info.isFile() || kaldiFolders(path).length > 0) return { ...source, path, kind: "manifest" };
  for (const split of await foldersOf(path))
    if (await holdsSpeakers(split.path)) return { ...source, path, kind: "librispeech" };
  if (!source.splits && (await holdsSpeakers(path))) {
    return { path: dirname(path), splits: [basename(path)], kind: "librispeech" };
  }
  return { ...source, path, kind: "folder" };
}

/** Lists LibriSpeech's layout. Chapter folders without a transcript are taken too, with no transcripts. */
export async function listLibrispeech(root: string, splits: readonly string[] | undefined): Promise<Listed[]> {
  const folders = await foldersOf(root);
  const present: string[] = [];
  for (const entry of folders) if (await holdsSpeakers(entry.path)) present.push(entry.name);
  checkSplits(splits ?? [], present, root);
  if (present.length === 0) {
    throw new StillwaveError(
      `${root}: not in LibriSpeech's layout (<split>/<speaker>/<chapter>/<speaker>-<chapter>-<number>.flac)`,
    );
  }
  const listed: Listed[] = [];
  for (const split of [...new Set(splits ?? present)]) {
    for (const speaker of await foldersOf(join(root, split))) {
      const chapters = await foldersOf(speaker.path);
      const lists = await Promise.all(chapters.map((chapter) => listChapter(chapter, speaker.name, split)));
      listed.push(...lists.flat());
    }
  }
  return sortedById(listed);
}

async function listChapter(chapter: Entry, speaker: string, split: string): Promise<Listed[]> {
  const files = (await entriesOf(chapter.path)).filter((entry) => !entry.isFolder);
  const transcripts = await readTranscripts(files.filter(({ name }) => name.endsWith(".trans.txt")));
  return files
    .filter(({ name }) => isAudioName(name))
    .map(({ name, path }): Listed => {
      const id = basename(name, extname(name));
      return { id, path, speaker, split, transcript: transcripts.get(id)?.text };
    });
}

/** `<id> <words>` a line, parted by spaces or tabs. @throws StillwaveError with file and line for an id that is there twice. */
async function readTranscripts(files: readonly Entry[]) {
  const transcripts = new Map<string, { readonly text: string; readonly place: string }>();
  for (const { path } of files) {
    for (const { number, text: line } of numberedLines(await readText(path, "transcript"))) {
      const [, id, text] = /^(\S+)\s*(.*)$/.exec(line.trim()) ?? ["", "", ""];
      const [place, earlier] = [`${path}:${number}`, transcripts.get(id)];
      if (earlier) throw new StillwaveError(`${place}: "${id}" has a transcript at ${earlier.place} already`);
      transcripts.set(id, { text, place });
    }
  }
  return transcripts;
}

/** Lists every audio file under `root` (or under the given sub-folders); the id is the relative path without extension. */
export async function listFolder(root: string, splits: readonly string[] | undefined): Promise<Listed[]> {
  const listed: Listed[] = [];
  const others = new Map<string, number>();
  if (splits) {
    const present = (await foldersOf(root)).map(({ name }) => name);
    checkSplits(splits, present, root);
  }
  const visit = async (path: string, prefix: string, split: string | undefined, ancestors: readonly string[]) => {
    const real = await realpath(path).catch(() => path);
    // a symbolic link back to a folder we are inside of would never end
    if (ancestors.includes(real)) return;
    for (const entry of await entriesOf(path)) {
      if (entry.isFolder) await visit(entry.path, `${prefix}${entry.name}/`, split, [...ancestors, real]);
      else if (isAudioName(entry.name)) {
        const id = `${prefix}${basename(entry.name, extname(entry.name))}`;
        listed.push({ id, path: entry.path, split });
      } else {
        const extension = extname(entry.name) || "(none)";
        others.set(extension, (others.get(extension) ?? 0) + 1);
      }
    }
  };
  if (splits) for (const split of new Set(splits)) await visit(join(root, split), `${split}/`, split, []);
  else await visit(root, "", undefined, []);
  if (listed.length === 0) {
    const seen = [...others].slice(0, 10).map(([extension, count]) => `${count} ${extension}`);
    const found = seen.length > 0 ? `found only ${seen.join(", ")}` : "it holds no files";
    throw new StillwaveError(`${root}: no audio files (${AUDIO_EXTENSIONS.join(" ")}) under it; ${found}`);
  }
  return sortedById(listed);
}
